"""The picture of the README is of what the commands say today."""

from pathlib import Path

import pytest

from runward.bin.demo import picture


@pytest.mark.slow
def test_it_shows_a_run_a_crash_and_a_stop_with_its_receipt(tmp_path: Path) -> None:
    target = tmp_path / "pictures" / "demo.svg"
    picture.main(target)
    drawn = target.read_text().replace("&#160;", " ")
    for said in (
        "$ runward run count 3",
        "ended by SIGSEGV",
        "interrupt",
        "terminate",
        "proof: ",
        "no survivors",
    ):
        assert said in drawn, said
    assert "http://" not in drawn.replace("http://www.w3.org", "")
    assert "url(" not in drawn.replace("url(#", "")

"""`runward config check` and `config show`, and what `reload` calls a change."""

from pathlib import Path

import pytest

from runward.bin.main import main
from runward.bin.restart import changes

from .conftest import Ended

SECRET = "not-for-every-reader"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "some.toml"
    path.write_text(f'[runs]\nmax_live = 7\n[agents.a]\ncommand = ["true"]\nenv = {{ TOKEN = "{SECRET}" }}\n')
    return path


def ended(capsys: pytest.CaptureFixture[str], *words: str) -> Ended:
    return Ended(main(words), *capsys.readouterr())


def test_every_setting_is_shown_with_who_set_it_and_no_secret(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNWARD_HTTP_PORT", "0")
    shown = ended(capsys, "config", "show", "--config", str(config))
    assert shown.code == 0
    assert f"max_live = 7  # file {config}" in shown.out
    assert "port = 0  # environment RUNWARD_HTTP_PORT" in shown.out
    rows = ended(capsys, "config", "show", "--config", str(config), "--json").document["data"]
    assert {"key": "runs.max_live", "value": 7, "source": f"file {config}"} in rows
    assert {"key": "http.host", "value": "127.0.0.1", "source": "default"} in rows
    assert SECRET not in shown.out + str(rows)


def test_a_configuration_that_is_good_is_said_to_be(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checked = ended(capsys, "config", "check", "--config", str(config))
    assert (checked.code, checked.out) == (0, f"{config}: nothing is wrong with it\n")
    assert ended(capsys, "config", "check", "--config", str(config), "--json").document["problems"] == []


def test_every_problem_is_named_and_ends_with_78(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text("[runs]\nmax_live = -1\n[htp]\nport = 1\n")
    checked = ended(capsys, "config", "check", "--config", str(path), "--json")
    assert checked.code == 78
    error = checked.document["error"]
    assert error["code"] == "configuration"
    assert {each["key"] for each in error["problems"]} >= {"runs.max_live", "htp"}
    assert "runs.max_live" in checked.err


def test_the_settings_of_a_server_that_is_not_there_are_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = ended(capsys, "config", "show", "--live", "--state", str(tmp_path), "--json")
    assert (shown.code, shown.document["error"]["code"]) == (4, "unreachable")


def test_what_changed_is_what_is_other_new_or_gone() -> None:
    before = {"same": (1, "file"), "moved": (1, "file"), "other": (1, "default"), "gone": (1, "file")}
    after = {"same": (1, "file"), "moved": (1, "default"), "other": (2, "file"), "new": ([], "file")}
    assert changes(before, after) == [
        {"key": "gone", "before": 1, "after": None, "source": "gone"},
        {"key": "new", "before": None, "after": [], "source": "file"},
        {"key": "other", "before": 1, "after": 2, "source": "file"},
    ]

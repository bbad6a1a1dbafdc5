"""Where traces are off nobody imports their library, though it is there."""

import sys
from pathlib import Path

from ..support.server import running

TRAP = "import os, pathlib; pathlib.Path({file!r}).write_text(str(os.getpid()))\n"


def test_a_library_that_is_there_is_imported_by_nobody_while_traces_are_off(tmp_path: Path) -> None:
    trap, caught = tmp_path / "opentelemetry", tmp_path / "caught"
    trap.mkdir()
    (trap / "__init__.py").write_text(TRAP.format(file=str(caught)))
    paths = [str(tmp_path), *(path for path in sys.path if path)]
    with running(tmp_path / "house", variables={"PYTHONPATH": ":".join(paths)}) as server:
        asked = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
        run_id = server.client.ask("POST", "/v1/runs", {"input": "x"}, asked).json["run_id"]
        assert server.client.ended(run_id)["status"] == "completed"
    assert not caught.exists(), f"process {caught.read_text()} imported it"

"""What a run keeps is listed and fetched, over a real port and by the command line."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, IncompleteRead
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from runward import ApiError, Client

from ..support.server import Server, agent, running
from ..support.waiting import AT_LAST_S

KEY = "files-key"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = {
        "runs": {"builtin_agents": ["echo"]},
        "agents": {"keeps": agent("keeping", "keep", work_folder="keep")},
    }
    with running(tmp_path_factory.mktemp("files"), config, KEY) as server:
        yield server


@pytest.fixture(scope="module")
def run_id(server: Server) -> str:
    """A run that kept some files."""
    run_id = server.client.start("keeps")
    assert server.client.ended(run_id)["status"] == "completed"
    return run_id


def runward(server: Server, *words: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-P", "-m", "runward", *words, "--url", server.url]
    return subprocess.run(
        command, env={**os.environ, "RUNWARD_API_KEY": KEY}, capture_output=True, timeout=30
    )


def test_what_a_run_kept_can_be_listed_and_fetched_as_bytes_that_no_browser_shows(
    server: Server, run_id: str
) -> None:
    listing = server.client.ask("GET", f"/v1/runs/{run_id}/files").json
    assert [(each["path"], each["size_bytes"]) for each in listing["data"]] == [
        ("page.html", 24), ("sub/odd \\xff name", 3), ("zeros", 300_000)
    ]  # fmt: skip
    assert listing["complete"] is True
    page = server.client.ask("GET", listing["data"][0]["href"])
    assert page.body == b"<script>alert()</script>"
    assert page.headers["Content-Type"] == "application/octet-stream"
    assert page.headers["Content-Disposition"] == "attachment"
    assert "sandbox" in page.headers["Content-Security-Policy"]
    assert page.headers["X-Content-Type-Options"] == "nosniff"


def test_both_ends_of_the_client_agree(server: Server, run_id: str) -> None:
    client = Client(server.url, KEY)
    kept = client.files(run_id)
    fetched = []
    for file in kept.data:
        into = io.BytesIO()
        client.fetch(file, into)
        fetched.append(into.getvalue())
    assert fetched == [b"<script>alert()</script>", b"odd", bytes(300_000)]


def test_who_reads_a_file_that_is_cut_meanwhile_is_cut_off(server: Server, run_id: str) -> None:
    large = server.folder / "state" / "kept" / run_id / "large"
    with open(large, "wb") as file:
        file.truncate(200_000_000)
    try:
        address = urlsplit(server.url)
        connection = HTTPConnection(address.hostname or "", address.port, timeout=AT_LAST_S)
        with closing(connection):
            connection.request(
                "GET", f"/v1/runs/{run_id}/files/large", headers={"Authorization": f"Bearer {KEY}"}
            )
            answer = connection.getresponse()
            answer.read(1)
            os.truncate(large, 0)
            with pytest.raises(IncompleteRead):
                answer.read()
    finally:
        large.unlink()


@pytest.mark.parametrize("path", ["link", "nothing", "sub", "..%2F..%2Fkey", "%2e%2e/%2e%2e/key", "sub/%00"])
def test_nothing_but_the_runs_own_files_is_found(server: Server, run_id: str, path: str) -> None:
    answer = server.client.ask("GET", f"/v1/runs/{run_id}/files/{path}")
    assert (answer.status, answer.error["code"]) in [(404, "file_not_found"), (404, "not_found")]


def test_a_run_that_keeps_nothing_says_how_it_would(server: Server) -> None:
    other = server.client.start("echo")
    server.client.ended(other)
    with pytest.raises(ApiError, match='work_folder = "keep"'):
        Client(server.url, KEY).files(other)


def test_which_agents_runs_keep_theirs_is_told(server: Server) -> None:
    told = {each.name: each.work_folder for each in Client(server.url, KEY).agents()}
    assert told == {"echo": "discard", "keeps": "keep"}


def test_files_of_an_unknown_run_and_without_a_key_are_nobodys(server: Server, run_id: str) -> None:
    assert server.client.ask("GET", "/v1/runs/run_none/files").status == 404
    assert server.with_key("wrong").ask("GET", f"/v1/runs/{run_id}/files/zeros").status == 401


def test_the_command_line_lists_prints_and_copies_and_overwrites_nothing(
    server: Server, run_id: str, tmp_path: Path
) -> None:
    listed = runward(server, "files", run_id, "--json")
    assert len(json.loads(listed.stdout)["data"]) == 3
    assert b"page.html" in runward(server, "files", run_id[:20]).stdout
    assert runward(server, "files", run_id, "page.html").stdout == b"<script>alert()</script>"
    copied = runward(server, "files", run_id, "--to", str(tmp_path / "copy"))
    assert copied.returncode == 0, copied.stderr
    assert (tmp_path / "copy" / "zeros").read_bytes() == bytes(300_000)
    again = runward(server, "files", run_id, "--to", str(tmp_path / "copy"))
    assert (again.returncode, b"File exists" in again.stderr) == (1, True)


def test_a_run_that_is_forgotten_keeps_nothing(server: Server) -> None:
    other = server.client.start("keeps")
    server.client.ended(other)
    assert server.client.ask("DELETE", f"/v1/runs/{other}").status == 204
    assert not (server.folder / "state" / "kept" / other).exists()
    assert server.client.ask("GET", f"/v1/runs/{other}/files").status == 404

"""What root prepares: the port, the folders, the keys, the note for clients."""

import json
import os
import socket
import stat
from pathlib import Path

import pytest

from runward.actors import front_door
from runward.actors.errors import PortTaken
from runward.actors.front_door import (
    api_keys,
    forget_server,
    hashed,
    listen,
    note_server,
    remove_runtime_folder,
    runtime_folder,
    url,
)
from runward.actors.roles import ApiKey
from runward.config.sections import AuthKey, AuthSettings, HttpSettings

pytestmark = pytest.mark.usefixtures("nothing_left")

HASH = "sha256:" + "0" * 64


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


# ── the port ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("::1", "[::1]"),
        ("::", "[::1]"),
    ],
)
def test_the_address_is_one_that_a_client_on_this_machine_can_use(host: str, address: str) -> None:
    with listen(HttpSettings(host=host, port=0)) as listening:
        port = listening.getsockname()[1]
        assert url(listening) == f"http://{address}:{port}"
        with socket.create_connection((address.strip("[]"), port), timeout=5):
            pass


def test_a_port_that_is_taken_is_told_with_what_to_do() -> None:
    with listen(HttpSettings(port=0)) as first:
        port = first.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"127\.0\.0\.1:{port}.*Address already in use.*--port"):
            listen(HttpSettings(port=port))


def test_an_address_that_is_not_this_machines_is_told_too() -> None:
    with pytest.raises(PortTaken, match="cannot listen on 192"):
        listen(HttpSettings(host="192.0.2.1", port=0))


def test_a_host_that_has_no_address_is_told_with_the_reason() -> None:
    with pytest.raises(PortTaken, match=r"cannot listen on no-such-host\.invalid:0: (Name|Temp)"):
        listen(HttpSettings(host="no-such-host.invalid", port=0))


def test_a_port_just_given_up_can_be_had_again() -> None:
    with listen(HttpSettings(port=0)) as first:
        port = first.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        served, _ = first.accept()
        served.close()
    client.close()
    listen(HttpSettings(port=port)).close()


# ── the runtime folder ──────────────────────────────────────────────────────────────────────────


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where runtime folders are made."""
    parent = tmp_path / "run"
    parent.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(parent))
    return parent


def test_the_runtime_folder_is_its_owners_alone_and_new_each_time(runtime: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    first, second = (Path(runtime_folder(tmp_path / name).runtime) for name in ("a", "b"))
    assert first != second
    assert (first.parent, mode(first), mode(second)) == (runtime, 0o700, 0o700)


def test_it_is_taken_away_with_its_note(runtime: Path, tmp_path: Path) -> None:
    paths = runtime_folder(tmp_path)
    Path(paths.commands).touch()
    remove_runtime_folder(paths, tmp_path)
    remove_runtime_folder(paths, tmp_path)
    assert list(runtime.iterdir()) == []
    assert not (tmp_path / "runtime").exists()


def test_what_a_killed_server_left_goes_with_the_next_start(runtime: Path, tmp_path: Path) -> None:
    left = Path(runtime_folder(tmp_path).runtime)
    Path(left, "commands").touch()
    again = Path(runtime_folder(tmp_path).runtime)
    assert list(runtime.iterdir()) == [again]


@pytest.mark.parametrize(
    "note", ["/etc", "", "\0", "relative", "../..", "x" * 5_000], ids=lambda note: note[:20]
)
def test_a_note_that_names_anything_else_takes_nothing_away(runtime: Path, tmp_path: Path, note: str) -> None:
    (tmp_path / "runtime").write_text(note)
    precious = tmp_path / "precious"
    precious.touch()
    runtime_folder(tmp_path)
    assert precious.exists()


def test_a_note_that_names_a_link_takes_nothing_behind_it_away(runtime: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    link = runtime / f"{front_door.RUNTIME_PREFIX}link"
    link.symlink_to(precious)
    (tmp_path / "runtime").write_text(str(link))
    runtime_folder(tmp_path)
    assert (precious / "file").exists()


def test_a_runtime_folder_that_is_too_long_for_a_socket_is_made_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("x" * 80)
    deep.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    paths = runtime_folder(tmp_path)
    assert Path(paths.runtime).parent == Path("/tmp")
    assert len(paths.commands) < 107
    remove_runtime_folder(paths, tmp_path)


@pytest.mark.parametrize("parent", ["", "/nonexistent"])
def test_without_a_users_runtime_folder_the_temporary_one_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parent: str
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", parent)
    monkeypatch.setattr("tempfile.tempdir", "/tmp")
    paths = runtime_folder(tmp_path)
    assert Path(paths.runtime).parent == Path("/tmp")
    remove_runtime_folder(paths, tmp_path)


# ── keys ────────────────────────────────────────────────────────────────────────────────────────


def test_with_no_key_configured_one_is_made_for_its_owner_alone_and_kept(tmp_path: Path) -> None:
    [key] = api_keys(AuthSettings(), None, tmp_path)
    text = (tmp_path / "key").read_text().strip()
    assert key == ApiKey("local", "operate", hashed(text))
    assert text.startswith("rw_")
    assert len(text) > 40
    assert mode(tmp_path / "key") == 0o600
    assert api_keys(AuthSettings(), None, tmp_path) == [key]
    assert [entry.name for entry in tmp_path.iterdir()] == ["key"]


def test_a_key_file_that_is_empty_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("\n")
    [key] = api_keys(AuthSettings(), None, tmp_path)
    assert key.hash != hashed("")


def test_a_key_that_is_given_counts_beside_those_configured_and_none_is_made(tmp_path: Path) -> None:
    auth = AuthSettings(keys=(AuthKey(name="ci", role="run", hash=HASH),))
    assert api_keys(auth, None, tmp_path) == [ApiKey("ci", "run", HASH)]
    assert api_keys(auth, "secret", tmp_path) == [
        *(ApiKey("ci", "run", HASH), ApiKey("environment", "operate", hashed("secret"))),
    ]
    assert list(tmp_path.iterdir()) == []


def test_without_auth_there_are_no_keys(tmp_path: Path) -> None:
    assert api_keys(AuthSettings(mode="none"), "secret", tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_hash_is_as_the_configuration_writes_it() -> None:
    assert hashed("") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert hashed("é") == hashed("\u00e9")


# ── the note for clients ────────────────────────────────────────────────────────────────────────


def test_the_same_users_commands_are_told_where_the_server_is(tmp_path: Path) -> None:
    note_server(tmp_path, "http://127.0.0.1:1")
    note = tmp_path / "server.json"
    told = {"url": "http://127.0.0.1:1", "pid": os.getpid(), "restarts": 0, "refused": None}
    assert json.loads(note.read_text()) == told
    assert mode(note) == 0o600
    note_server(tmp_path, "http://127.0.0.1:2")
    assert json.loads(note.read_text())["url"] == "http://127.0.0.1:2"
    forget_server(tmp_path)
    forget_server(tmp_path)
    assert list(tmp_path.iterdir()) == []

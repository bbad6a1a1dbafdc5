"""Configuration of every wrong kind, given to a real `runward serve`: refused by name with exit code 78, before
anything is started or made. Every kind for every key by itself is for `tests/config`."""

from pathlib import Path

import pytest

from ..support.server import Config, agent, refused, started

REFUSED = 78
WRONG_SETTINGS: Config = {
    "nothing": {"here": 1},
    "http": {
        "prot": 1,
        "port": "eighty",
        "max_connections": -1,
        "keepalive_s": 1e300,
        "host": "no host",
        "cors_origins": "https://example.com",
    },
    "auth": {"keys": [{"name": "a", "role": "king", "hash": "sha256:" + "0" * 64}]},
    "state": {"synchronous": "sometimes"},
    "runs": {"default_agent": 1, "interrupt_grace_s": "5s", "max_live": True},
    "containment": {"require": ["kill>=K9"]},
    "limits": {"memory_bytes": 1.5},
    "agents": {
        "BAD": agent("acting", "act"),
        "empty": {"description": "nothing to run"},
        "double": {"entrypoint": "x:y", "command": ["z"]},
        "typed": agent("acting", "act", preload="numpy"),
    },
}
WRONG_VARIABLES = {
    "RUNWARD_HTTP_WORKERS": "many",
    "RUNWARD_HTTP_PROT": "1",
    "RUNWARD_NOTHING": "1",
    "RUNWARD_RUNS_MAX_LIVE": "",
}
WRONG_FLAGS = ["http.workers=many", "http.prot=1", "nothing.here=1", "runs.max_queued=-1"]


def _check(answer: tuple[int, str], *told: str) -> None:
    code, said = answer
    assert code == REFUSED, said
    assert "Traceback" not in said
    assert [word for word in told if word not in said] == [], said


def test_every_setting_that_is_wrong_is_refused_by_its_name_and_all_at_once(tmp_path: Path) -> None:
    sections = WRONG_SETTINGS.items()
    names = [f"{section}.{key}" for section, keys in sections if section != "nothing" for key in keys]
    _check(refused(tmp_path, WRONG_SETTINGS), "nothing", *names)
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"http": {"host": "0.0.0.0"}, "auth": {"mode": "none"}}, "auth.mode"),
        ({"runs": {"default_agent": "nobody"}}, "runs.default_agent"),
        ({"events": {"max_event_bytes": 10_000_000}}, "max_message_bytes"),
    ],
    ids=["open to others", "no such agent", "an event that no message holds"],
)
def test_settings_that_contradict_each_other_are_refused_by_name(
    tmp_path: Path, config: Config, told: str
) -> None:
    _check(refused(tmp_path, config), told)


@pytest.mark.parametrize(
    "text",
    [b"[http", b"\xff\xfe\x00", b"[http]\nport = 1\nport = 2\n", b"a = " + b"[" * 10_000],
    ids=["cut off", "no text", "twice", "deep"],
)
def test_a_file_that_is_no_configuration_is_refused_by_its_name(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "runward.toml"
    path.write_bytes(text)
    _check(started(tmp_path, "--config", str(path)), str(path))


@pytest.mark.parametrize("name", ["no-such-file.toml", ""], ids=["absent", "a folder"])
def test_a_file_that_can_not_be_read_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    _check(started(tmp_path, "--config", str(tmp_path / name)), str(tmp_path / name))


def test_every_variable_that_is_wrong_is_refused_by_its_name(tmp_path: Path) -> None:
    _check(started(tmp_path, variables=WRONG_VARIABLES), *WRONG_VARIABLES)


def test_every_flag_that_is_wrong_is_refused_by_its_name(tmp_path: Path) -> None:
    flags = [part for setting in WRONG_FLAGS for part in ("--set", setting)]
    _check(started(tmp_path, *flags), *(setting.partition("=")[0] for setting in WRONG_FLAGS))

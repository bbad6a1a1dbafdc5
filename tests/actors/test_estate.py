"""What a server keeps while its code is replaced, and what new code or new settings could not go on with."""

import os
from collections.abc import Iterator

import msgspec
import pytest

from runward.actors import estate, spoken
from runward.actors.containment.findings import Found
from runward.actors.errors import CannotTakeOver
from runward.actors.estate import Estate, Member
from runward.actors.roles import Keys, Paths
from runward.config.sections import ContainmentSettings, HttpSettings, Settings

SETTINGS = Settings(http=HttpSettings(port=8642))


def an_estate() -> Estate:
    return Estate(
        paths=Paths("/run/x"),
        server_keys=Keys(b"public", b"secret"),
        facade_keys=[Keys(b"p", b"s")],
        cookie_secret=b"cookie",
        link_token="link",
        found=Found(rung="pidns"),
        listen_fd=3,
        lock_fd=4,
        supervisor=Member(70, 5),
        facades=[Member(71, 6)],
        fixed=estate.fixed(SETTINGS),
        spoken=spoken.spoken(),
        restarts=2,
    )


@pytest.fixture
def memory() -> Iterator[int]:
    made = os.memfd_create("test")
    yield made
    os.close(made)


def test_what_is_written_is_read_as_often_as_one_likes_and_inherited_by_nobody_unasked() -> None:
    memory = estate.write(an_estate())
    assert not os.get_inheritable(memory)
    assert estate.read(memory) == an_estate()
    assert estate.read(memory) == an_estate()
    os.close(memory)


def test_all_its_descriptors_are_kept() -> None:
    assert estate.descriptors(an_estate()) == [3, 4, 5, 6]


@pytest.mark.parametrize("content", [b"", b"nonsense", msgspec.msgpack.encode({"paths": 1})])
def test_what_is_no_estate_is_refused(memory: int, content: bytes) -> None:
    os.write(memory, content)
    with pytest.raises(CannotTakeOver, match="can't be read"):
        estate.read(memory)


def test_the_same_settings_and_the_same_words_can_go_on() -> None:
    estate.check(an_estate(), SETTINGS)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (Settings(http=HttpSettings(port=1)), "http.port is '1' and was '8642'"),
        (
            Settings(http=SETTINGS.http, containment=ContainmentSettings(kill="subreaper")),
            "containment.kill is 'subreaper' and was 'auto'",
        ),
    ],
)
def test_what_live_runs_depend_on_can_not_change(settings: Settings, said: str) -> None:
    with pytest.raises(CannotTakeOver, match=said):
        estate.check(an_estate(), settings)


def test_code_that_wardens_would_not_understand_can_not_take_over() -> None:
    other = an_estate()
    other.spoken["Stop"] = [("command_id", "int", True)]
    with pytest.raises(CannotTakeOver, match="the fields of Stop are others"):
        estate.check(other, SETTINGS)


FIELDS = [("run_id", "str", True), ("n", "int", True)]


@pytest.mark.parametrize(
    ("new", "breach"),
    [
        ({"Said": FIELDS}, None),
        ({"Said": [*FIELDS, ("more", "str", False)]}, None),
        ({"Said": FIELDS, "Another": FIELDS}, None),
        ({}, "Said is no more"),
        ({"Said": FIELDS[:1]}, "the fields of Said are others"),
        ({"Said": FIELDS[::-1]}, "the fields of Said are others"),
        ({"Said": [("run_id", "bytes", True), FIELDS[1]]}, "the fields of Said are others"),
        ({"Said": [*FIELDS, ("more", "str", True)]}, "Said needs more fields"),
    ],
)
def test_a_newer_version_may_only_add_what_need_not_be_said(new: spoken.Spoken, breach: str | None) -> None:
    assert spoken.breach({"Said": FIELDS}, new) == breach


def test_what_is_within_messages_is_written_down_too() -> None:
    said = spoken.spoken()
    assert said["Hello"][0] == ("run_id", "str", True)
    assert {"Exited", "ExitRecord", "Claim", "ProcessIdentity", "Go", "RunInput", "Stop"} <= said.keys()

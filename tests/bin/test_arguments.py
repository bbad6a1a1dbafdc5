"""What words on a command line mean to a command's parameters."""

import gc
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from runward.bin.arguments import Argument, Option, parse
from runward.bin.commands import commands
from runward.bin.main import main
from runward.bin.outcome import CommandError


def command(
    first: Annotated[str, Argument(metavar="FIRST")],
    rest: Annotated[list[str] | None, Argument(metavar="REST")] = None,
    folder: Annotated[Path | None, Option("--folder", "-f", envvar="SOME_FOLDER")] = None,
    count: Annotated[int, Option(min=1)] = 7,
    grace_s: Annotated[float | None, Option(min=0)] = None,
    mode: Annotated[Literal["soft", "hard"] | None, Option()] = None,
    tags: Annotated[list[str] | None, Option("--tag")] = None,
    as_json: Annotated[bool, Option("--json")] = False,
    follow: Annotated[bool, Option()] = True,
) -> int:
    """Nothing: only its parameters count."""
    return 0


DEFAULTS: dict[str, Any] = {
    "rest": [],
    "folder": None,
    "count": 7,
    "grace_s": None,
    "mode": None,
    "tags": None,
    "as_json": False,
    "follow": True,
}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("a", {}),
        ("a b c", {"rest": ["b", "c"]}),
        ("a --json b", {"rest": ["b"], "as_json": True}),
        ("-f /x a", {"folder": Path("/x")}),
        ("a --folder=/x --count 3", {"folder": Path("/x"), "count": 3}),
        ("a --grace-s 0", {"grace_s": 0.0}),
        ("a --mode hard", {"mode": "hard"}),
        ("a --tag x --tag y", {"tags": ["x", "y"]}),
        ("a --no-follow", {"follow": False}),
        ("a -- --json", {"rest": ["--json"]}),
    ],
)
def test_words_say_what_the_parameters_are(words: str, said: dict[str, Any]) -> None:
    assert parse("command", command, words.split()) == {"first": "a", **DEFAULTS, **said}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("", "required: FIRST"),
        ("a --count 0", "0 is less than 1"),
        ("a --count x", "'x' is not a number"),
        ("a --grace-s nan", "nan is less than 0"),
        ("a --mode softly", "invalid choice: 'softly'"),
        ("a --jso", "unrecognized arguments: --jso"),
    ],
)
def test_wrong_words_end_with_2_and_say_why(words: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse("command", command, words.split())
    assert ended.value.code == 2
    assert why in capsys.readouterr().err


def test_a_variable_is_the_default_of_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_FOLDER", "/from/environment")
    assert parse("command", command, ["a"])["folder"] == Path("/from/environment")
    assert parse("command", command, ["a", "-f", "/from/word"])["folder"] == Path("/from/word")


def test_garbage_is_collected_while_a_command_is_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    def connect(*_: object) -> None:
        seen.append(gc.isenabled())
        raise CommandError("seen")

    monkeypatch.setattr("runward.bin.stack.connect", connect)
    assert main(["stack", "run_1"]) == 1
    assert seen == [True]


@pytest.mark.parametrize("name", commands())
def test_every_command_tells_what_it_may_be_told(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(name, commands()[name], ["--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: runward {name} ")

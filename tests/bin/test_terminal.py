"""What agents make is shown to people and obeyed by no terminal."""

import io
import json
import sys

import pytest

from runward.bin.outcome import print_json
from runward.bin.terminal import TamedBytes

HOSTILE = "\x1b]0;title\x07\x9b2J\u202edesrever\r"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown_from_now(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """In the test itself: pytest has a stdout of its own for each of its phases."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    return terminal


def test_bytes_of_a_file_are_shown_whichever_way_they_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = shown_from_now(monkeypatch)
    into = TamedBytes()
    for byte in f"ä{HOSTILE}\n".encode() + b"\xff":
        assert into.write(bytes([byte])) == 1
    assert shown.getvalue() == "ä\\x1b]0;title\\x07\\x9b2J\\x202edesrever\\x0d\n\\xff"


def test_json_holds_nothing_that_a_terminal_obeys_and_is_the_same_document(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = shown_from_now(monkeypatch)
    print_json({"error": f"ä {HOSTILE}"})
    line = shown.getvalue()
    assert json.loads(line) == {"error": f"ä {HOSTILE}"}
    assert line.startswith('{"error": "ä ')
    assert line[:-1].isprintable()

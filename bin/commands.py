"""The list of commands, and how one is found, told and ended.

Each command is a function that returns an exit code. Only the module of the command that was asked for is
imported, so that `serve` doesn't carry the client and `ps` doesn't carry the configuration.
"""

import gc
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from .. import __version__
from ..http.api_errors import ClientError
from .arguments import Command, parse
from .outcome import CommandError, ExitCode, complain, explain

ABOUT = "Runs AI agents that may crash, hang or misbehave, each in its own confined process."

#: Name of each command, in the order of `--help`, and the module that has a function of that name; or, where a word
#: more says what to do, a table `COMMANDS` of them.
MODULES = {
    "serve": "serve",
    "run": "run",
    "ps": "ps",
    "top": "top",
    "inspect": "inspecting",
    "events": "events",
    "logs": "logs",
    "stack": "stack",
    "wait": "wait",
    "stop": "stop",
    "kill": "stop",
    "approve": "people",
    "steer": "people",
    "files": "files",
    "agents": "agents",
    "keys": "keys",
    "drain": "drain",
    "restart": "restart",
    "reload": "restart",
    "config": "config",
    "doctor": "doctor",
    "completion": "completion",
    "demo": "demo.command",
    "bench": "bench",
}
#: What a shell asks at a TAB; no person's to type.
COMPLETE = "complete"
#: Those of `MODULES` that have a table of commands.
GROUPS = frozenset({"config", "keys"})


def obey(words: Sequence[str]) -> int:
    """Do what the words say; the exit code. Raises SystemExit where they ask for help or are wrong."""
    name = words[0] if words else ""
    if name in ("--version", "-V"):
        print(f"runward {__version__}")
        return ExitCode.DONE
    if name in ("", "--help", "-h"):
        print("\n".join(_overview()))
        return ExitCode.DONE if name else ExitCode.USAGE
    if name == COMPLETE:
        from .completion import complete

        return complete(words[1:], MODULES, words_within, find)
    if not _is_known(name):
        return _unknown(name, list(MODULES), "runward")
    if name not in GROUPS:
        return _outcome(_load(name), parse(name, _load(name), list(words[1:])))
    return _obey_in_group(name, words[1:])


def commands() -> dict[str, Command]:
    """Every command by its words. Imports all of them."""
    found: dict[str, Command] = {}
    for name in MODULES:
        if _is_known(name):
            within = {f"{name} {word}": each for word, each in _table(name).items()} if name in GROUPS else {}
            found |= within or {name: _load(name)}
    return found


def _obey_in_group(name: str, words: Sequence[str]) -> int:
    table = _table(name)
    word = words[0] if words else "--help"
    if word in ("--help", "-h"):
        print("\n".join(_list_of({f"{name} {each}": command for each, command in table.items()})))
        return ExitCode.DONE if words else ExitCode.USAGE
    if word not in table:
        return _unknown(word, list(table), f"runward {name}")
    return _outcome(table[word], parse(f"{name} {word}", table[word], list(words[1:])))


def _overview() -> list[str]:
    return [
        "usage: runward COMMAND …",
        "",
        ABOUT,
        "",
        *_list_of(commands()),
        "",
        "  --version, -V   the version        COMMAND --help   what a command may be told",
        "",
        "Exit codes: 0 done, 1 the run or the command failed, 2 usage, 3 the run was stopped,",
        "4 no server answers, 78 configuration or containment refused.",
    ]


def _list_of(table: dict[str, Command]) -> list[str]:
    width = max(map(len, table))
    return [f"  {name:{width}}  {(each.__doc__ or '').splitlines()[0]}" for name, each in table.items()]


def _unknown(word: str, known: list[str], program: str) -> int:
    from difflib import get_close_matches

    meant = get_close_matches(word, known, 1)
    hint = f"did you mean {meant[0]!r}?" if meant else f"`{program} --help` lists them"
    complain(CommandError(f"there is no command {word!r}; {hint}"), as_json=False)
    return ExitCode.USAGE


def words_within(name: str) -> list[str]:
    """The words that may follow this one, if it is a table of commands."""
    return list(_table(name)) if name in GROUPS else []


def find(words: Sequence[str]) -> tuple[Command | None, Sequence[str]]:
    """The command that these words begin with, and the rest of them; None: they begin with none."""
    name = words[0] if words else ""
    if name in GROUPS:
        return _table(name).get(words[1] if len(words) > 1 else ""), words[2:]
    return (_load(name), words[1:]) if _is_known(name) else (None, words)


def _is_known(name: str) -> bool:
    module = MODULES.get(name)
    return module is not None and find_spec(f".{module}", __package__) is not None


def _load(name: str) -> Command:
    command: Command = getattr(import_module(f".{MODULES[name]}", __package__), name)
    return command


def _table(name: str) -> dict[str, Command]:
    table: dict[str, Command] = import_module(f".{MODULES[name]}", __package__).COMMANDS
    return table


def _outcome(command: Command, options: dict[str, Any]) -> int:
    """The command's exit code; every way to fail has one."""
    gc.enable()
    # An agent may say what the terminal's encoding can't.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        return int(command(**options))
    except (CommandError, ClientError) as error:
        refusal = explain(error) if isinstance(error, ClientError) else error
        complain(refusal, as_json=bool(options.get("as_json")))
        return refusal.exit_code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The interpreter would try once more to flush at exit, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.BROKEN_PIPE

"""`runward completion`: what a shell has to know to complete commands, options, ids of runs, names of agents.

The shell asks `runward complete` at every TAB, so there is one place that knows the commands: their annotations.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

from ..http.api_client import Client
from ..http.api_errors import ClientError
from .arguments import Argument, Command, Option, Parameter, choices_of, names_of, parameters
from .outcome import CommandError, ExitCode
from .server import connect

SCRIPTS = {
    "bash": """\
_runward() {
    local IFS=$'\\n'
    COMPREPLY=($(runward complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _runward runward
""",
    "zsh": """\
#compdef runward
_runward() {
    local found="$(runward complete "${(@)words[2,CURRENT]}" 2>/dev/null)"
    if [[ -n $found ]]; then compadd -- "${(@f)found}"; else _files; fi
}
compdef _runward runward
""",
    "fish": """\
complete -c runward -f -a '(runward complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
""",
}
MOST_IDS = 100  # offered, the newest
PATIENCE_S = 2.0  # with a server, while somebody waits at a TAB


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> int:
    """Print what a shell has to read to complete commands and ids: source <(runward completion bash)."""
    print(SCRIPTS[shell], end="")
    return ExitCode.DONE


def complete(
    words: Sequence[str],
    names: Iterable[str],
    within: Callable[[str], list[str]],
    find: Callable[[Sequence[str]], tuple[Command | None, Sequence[str]]],
) -> int:
    """Print what the last of these words may become; nothing where that is not known.

    `names`: of all commands; `within`: the words that may follow one; `find`: the command, and the words after it.
    """
    *before, begun = joined(words) or [""]
    if not before:
        may: Iterable[str] = (*names, "--help", "--version")
    elif len(before) > 1 or not (may := within(before[0])):
        command, rest = find(before)
        may = _of_command(command, rest) if command is not None else ()
    print("".join(f"{word}\n" for word in may if word.startswith(begun)), end="")
    return ExitCode.DONE


def joined(words: Sequence[str]) -> list[str]:
    """The words as they were typed: bash takes `=` and `:` for words of their own, as in --url=http://here:80.

    The last one is what the shell will put an offered word in the place of, so it stays for itself.
    """
    whole: list[str] = []
    goes_on = False
    for at, word in enumerate(words):
        breaks = bool(word) and not word.strip("=:")
        if whole and (breaks or (goes_on and at < len(words) - 1)):
            whole[-1] += word
        else:
            whole.append(word)
        goes_on = breaks
    return [*whole, ""] if goes_on else whole


def _of_command(command: Command, rest: Sequence[str]) -> Iterator[str]:
    options = {
        name: each for each in parameters(command) if isinstance(each.said, Option) for name in names_of(each)
    }
    last = options.get(rest[-1].removesuffix("=")) if rest else None
    if last is not None and last.kind is not bool:
        yield from _values(last, options, rest)
        return
    places = [each for each in parameters(command) if isinstance(each.said, Argument)]
    given = sum(not word.startswith("-") for word in rest)  # options' values among them, which does no harm
    if places:
        yield from _values(places[min(given, len(places) - 1)], options, rest)
    yield from (name for name, each in options.items() if not each.said.hidden)  # type: ignore[union-attr]
    yield "--help"


def _values(parameter: Parameter, options: dict[str, Parameter], rest: Sequence[str]) -> Iterator[str]:
    yield from choices_of(parameter)
    try:
        if parameter.said.completes == "run":
            yield from _run_ids(_client(options, rest))
        elif parameter.said.completes == "agent":
            yield from (agent.name for agent in _client(options, rest).agents())
    except (ClientError, CommandError):
        return  # a shell has no use for a reason


def _client(options: dict[str, Parameter], rest: Sequence[str]) -> Client:
    """A client of the server that the command would talk to with these words."""
    url, state = (_said(name, options, rest) for name in ("--url", "--state"))
    return connect(url, Path(state) if state else None, PATIENCE_S)


def _said(name: str, options: dict[str, Parameter], rest: Sequence[str]) -> str | None:
    """The value of an option, as the words or its variable of the environment say it; the last one counts."""
    option = options.get(name)
    if option is None or not isinstance(option.said, Option):
        return None
    found = os.environ.get(option.said.envvar or "") or None
    for at, word in enumerate(rest):
        if word == name and at + 1 < len(rest):
            found = _expanded(rest[at + 1])
        elif word.startswith(f"{name}="):
            found = _expanded(word.partition("=")[2])
    return found


def _expanded(word: str) -> str:
    """A word as the command would get it: the shell gives those of an unfinished line as they were typed."""
    from shlex import split

    try:
        plain = "".join(split(word))
    except ValueError:
        plain = word  # a quote that is still open
    return os.path.expanduser(os.path.expandvars(plain))


def _run_ids(client: Client) -> Iterator[str]:
    """Of the newest runs, first those that live."""
    from itertools import islice

    runs = list(islice(client.list(), MOST_IDS))
    yield from (run.run_id for run in sorted(runs, key=lambda run: run.ended))

"""`runward completion`: what a shell has to know to complete commands, options, ids of runs, names of agents.

The shell asks `runward complete` at every TAB, so there is one place that knows the commands: their annotations.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated, Literal

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
    *before, begun = words or [""]
    if not before:
        may: Iterable[str] = (*names, "--help", "--version")
    elif len(before) > 1 or not (may := within(before[0])):
        command, rest = find(before)
        may = _of_command(command, rest) if command is not None else ()
    print("".join(f"{word}\n" for word in may if word.startswith(begun)), end="")
    return ExitCode.DONE


def _of_command(command: Command, rest: Sequence[str]) -> Iterator[str]:
    options = {
        name: each for each in parameters(command) if isinstance(each.said, Option) for name in names_of(each)
    }
    last = options.get(rest[-1]) if rest else None
    if last is not None and last.kind is not bool:
        yield from _values(last)
        return
    places = [each for each in parameters(command) if isinstance(each.said, Argument)]
    given = sum(not word.startswith("-") for word in rest)  # options' values among them, which does no harm
    if places:
        yield from _values(places[min(given, len(places) - 1)])
    yield from (name for name, each in options.items() if not each.said.hidden)  # type: ignore[union-attr]
    yield "--help"


def _values(parameter: Parameter) -> Iterator[str]:
    yield from choices_of(parameter)
    try:
        if parameter.said.completes == "run":
            yield from _run_ids()
        elif parameter.said.completes == "agent":
            yield from (agent.name for agent in connect(None, None, PATIENCE_S).agents())
    except (ClientError, CommandError):
        return  # a shell has no use for a reason


def _run_ids() -> Iterator[str]:
    """Of the newest runs, first those that live."""
    from itertools import islice

    client = connect(None, None, PATIENCE_S)
    runs = list(islice(client.list(), MOST_IDS))
    yield from (run.run_id for run in sorted(runs, key=lambda run: run.ended))

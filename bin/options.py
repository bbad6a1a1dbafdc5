"""Options that several commands share, said once."""

from pathlib import Path
from typing import Annotated

from .arguments import Argument, Option

Url = Annotated[
    str | None,
    Option("--url", envvar="RUNWARD_URL", help="The server; the one that runs here, if not given."),
]
State = Annotated[
    Path | None,
    Option("--state", envvar="RUNWARD_STATE_DIR", help="The state folder of the server that runs here."),
]
Json = Annotated[bool, Option("--json", help="Print JSON on stdout, and nothing else there.")]
Agent = Annotated[str | None, Option("--agent", help="Only runs of this agent.", completes="agent")]
Session = Annotated[str | None, Option("--session", help="Only runs of this session.")]
Yes = Annotated[bool, Option("--yes", "-y", help="Don't ask.")]
RunId = Annotated[
    str, Argument(metavar="ID", help="The run; a beginning of its id is enough.", completes="run")
]
RunIds = Annotated[
    list[str],
    Argument(metavar="ID", help="Ids of runs; a beginning that only one run has is enough.", completes="run"),
]

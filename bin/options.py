"""Options that several commands share, said once."""

from pathlib import Path
from typing import Annotated

import typer

Url = Annotated[
    str | None,
    typer.Option("--url", envvar="RUNWARD_URL", help="The server; the one that runs here, if not given."),
]
State = Annotated[
    Path | None,
    typer.Option(
        "--state", envvar="RUNWARD_STATE_DIR", help="The state folder of the server that runs here."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else there.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]
RunIds = Annotated[
    list[str], typer.Argument(metavar="ID…", help="Ids of runs; a beginning that only one run has is enough.")
]

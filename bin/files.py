"""`runward files`: what a run left in its work folder, if its agent keeps that."""

import os
import sys
import time
from pathlib import Path
from typing import Annotated

from ..http.api_client import Client
from ..http.api_types import FileInfo, FilePage
from . import describing, options
from .arguments import Argument, Option
from .columns import columns
from .naming import find
from .outcome import CommandError, ExitCode, print_json
from .server import connect
from .terminal import TamedBytes, one_line, say, whisper

HEADER = ("SIZE", "AGE", "PATH")


def files(
    run_id: options.RunId,
    path: Annotated[str | None, Argument(metavar="PATH", help="Print this file.")] = None,
    into: Annotated[
        Path | None, Option("--to", metavar="DIR", help="Copy the files, or the one, to this folder.")
    ] = None,
    as_json: options.Json = False,
    url: options.Url = None,
    state: options.State = None,
) -> int:
    """List the files that a run keeps (work_folder = "keep"), print one, or copy them. Nothing is overwritten."""
    client = connect(url, state)
    kept = client.files(find(client, run_id).run_id)
    wanted = kept.data if path is None else [_named(kept, path)]
    if into is not None:
        _copy(client, wanted, into)
    elif path is not None:
        client.fetch(wanted[0], TamedBytes() if sys.stdout.isatty() else sys.stdout.buffer)
        sys.stdout.buffer.flush()
    elif as_json:
        print_json(
            {"object": "list", "data": [_document(file) for file in wanted], "complete": kept.complete}
        )
    else:
        print("\n".join(columns([HEADER, *(_row(file) for file in wanted)])))
    if path is None and not kept.complete:
        say("that is not all: some files are too many, lie too deep or in folders that can't be read")
        return ExitCode.FAILED
    return ExitCode.DONE


def _named(kept: FilePage, path: str) -> FileInfo:
    for file in kept.data:
        if file.path == path:
            return file
    raise CommandError(
        f"the run keeps no file {path!r}; without a path they are listed", code="file_not_found"
    )


def _copy(client: Client, wanted: list[FileInfo], into: Path) -> None:
    for file in wanted:
        target = into / _harmless(file.path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            # Never over, or through, what is there: the names are the agent's.
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
        except OSError as error:
            raise CommandError(f"{target}: {error.strerror}", code="not_copied") from error
        with open(descriptor, "wb") as copy:
            client.fetch(file, copy)
        whisper(str(target))


def _harmless(path: str) -> Path:
    """Where it goes below a folder of ours. Raises CommandError if it would lead out of that."""
    if path.startswith("/") or "\0" in path or {"", ".", ".."} & set(path.split("/")):
        raise CommandError(f"the server names a path that leads elsewhere: {path!r}", code="not_copied")
    return Path(path)


def _row(file: FileInfo) -> tuple[str, str, str]:
    return str(file.size_bytes), describing.age(time.time() - file.modified_at), one_line(file.path)


def _document(file: FileInfo) -> dict[str, object]:
    return {
        "path": file.path,
        "href": file.href,
        "size_bytes": file.size_bytes,
        "modified_at": file.modified_at,
    }

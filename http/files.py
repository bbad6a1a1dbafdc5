"""`GET /v1/runs/{run_id}/files` and `…/files/{path}`: what a run of an agent with `work_folder = "keep"` left.

An agent made these files, so they are sent as what they are, bytes, to be saved: never as a page, under any name.
"""

import asyncio
import os
from urllib.parse import quote, unquote_to_bytes

from aiohttp import web

from ..actors import kept_files
from ..actors.kept_files import KeptFile
from .context import Call, answer
from .errors import Problem
from .schemas import FileList, FileView

MOST_LISTED = 10_000
BLOCK_BYTES = 262_144
HEADERS = {
    "Content-Type": "application/octet-stream",
    "Content-Disposition": "attachment",
    "Content-Security-Policy": "sandbox; default-src 'none'",
}


async def listing(call: Call) -> web.Response:
    """What there is, in the order of the paths."""
    _, record = call.run()
    found = await asyncio.to_thread(kept_files.listed, call.facade.state_dir, record.run_id, MOST_LISTED)
    if found is None:
        raise _nothing_kept()
    return answer(
        FileList(data=[_view(record.run_id, file) for file in found.files], complete=found.complete)
    )


async def contents(call: Call) -> web.StreamResponse:
    """One file, as long as it was when it was opened."""
    _, record = call.run()
    # As it was sent: a name need not be UTF-8, and aiohttp's own would be decoded.
    path = unquote_to_bytes(call.request.rel_url.raw_path.partition("/files/")[2])
    try:
        file, size_bytes = kept_files.opened(call.facade.state_dir, record.run_id, path)
    except FileNotFoundError:
        raise Problem(
            "file_not_found",
            f"The run keeps no such file. GET /v1/runs/{record.run_id}/files lists those it keeps.",
        ) from None
    except PermissionError:
        raise Problem("file_unreadable", "The run made this file so that it can't be read.") from None
    response = web.StreamResponse(headers=HEADERS)
    response.content_length = size_bytes
    try:
        await response.prepare(call.request)
        if call.request.method != "HEAD":
            await _send(call.request, response, file, size_bytes)
    except ConnectionError:
        pass  # the client is gone
    finally:
        os.close(file)
    return response


async def _send(request: web.Request, response: web.StreamResponse, file: int, size_bytes: int) -> None:
    sent = 0
    while sent < size_bytes:
        block = await asyncio.to_thread(os.pread, file, min(BLOCK_BYTES, size_bytes - sent), sent)
        if not block:  # it was cut meanwhile: who waits for the length that was promised would wait for ever
            if request.transport is not None:
                request.transport.close()
            return
        await response.write(block)
        sent += len(block)


def _view(run_id: str, file: KeptFile) -> FileView:
    return FileView(
        path=file.path.decode(errors="backslashreplace"),
        href=f"/v1/runs/{run_id}/files/{quote(file.path)}",
        size_bytes=file.size_bytes,
        modified_at=file.modified_at,
    )


def _nothing_kept() -> Problem:
    return Problem(
        "files_not_kept",
        'The run keeps no files: its agent is not declared with work_folder = "keep", or they were forgotten.',
    )

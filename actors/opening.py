"""How a supervisor comes by its journal, or says why it does not."""

import select
import socket
import sys
from pathlib import Path

from . import wire
from .errors import BadMessage, StateFolderFull, StateFolderUnusable
from .journal.writer import Writer
from .messages import CannotServe, ShutDown
from .roles import SupervisorStart

LOOK_EVERY_S = 0.25
ROOM_BYTES = (
    4_194_304  # else a supervisor that found room for one row would soon end for want of it, again and again
)


def open_journal(start: SupervisorStart, control: socket.socket) -> Writer | None:
    """The journal; None once root, who was told why there is none, says to end. Blocks.

    A later supervisor of a server waits for room on the disk, since wardens wait for it, with events that nobody
    else has. The first one has nobody to wait for, and says that there is none.
    """
    told = False
    while True:
        try:
            journal = Writer(Path(start.state_dir), start.settings.state.synchronous)
            if start.is_first or journal.has_room(ROOM_BYTES):
                return journal
            journal.close()
            raise StateFolderFull(f"no room for the journal in {start.state_dir}; make room on its disk")
        except StateFolderUnusable as error:
            if start.is_first or not isinstance(error, StateFolderFull):
                _refuse(control, str(error))
                return None
            if not told:
                sys.stderr.write(f"runward: supervisor: {error}; waiting for room\n")
                told = True
        if _is_told_to_end(control, LOOK_EVERY_S):
            return None


def _refuse(control: socket.socket, why: str) -> None:
    control.send(wire.encode(CannotServe(why)))
    while not _is_told_to_end(control, None):
        pass


def _is_told_to_end(control: socket.socket, within_s: float | None) -> bool:
    """Whether root says so in time, or is gone."""
    ready, _, _ = select.select([control], [], [], within_s)
    if not ready:
        return False
    body = control.recv(4096)
    try:
        return not body or isinstance(wire.to_role.decode(body), ShutDown)
    except BadMessage:
        return False

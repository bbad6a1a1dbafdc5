"""How a supervisor comes by its journal, or says why it does not."""

import os
import select
import socket
from pathlib import Path

from . import server_log, wire
from .errors import BadMessage, StateFolderFull, StateFolderUnusable
from .journal.patient import PatientWriter
from .messages.with_root import CannotServe, ShutDown, Standby
from .roles import SupervisorStart

LOOK_EVERY_S = 0.25


def has_predecessor(start: SupervisorStart) -> bool:
    """Whether another supervisor is there still, which this one replaces."""
    return start.predecessor_fd >= 0


def await_predecessor(start: SupervisorStart, control: socket.socket) -> None:
    """Tell root that it may end the supervisor before, and wait until it has ended. Blocks."""
    control.send(wire.encode(Standby()))
    poll = select.poll()
    poll.register(start.predecessor_fd, select.POLLIN)
    poll.poll()
    os.close(start.predecessor_fd)


def open_journal(start: SupervisorStart, control: socket.socket) -> PatientWriter | None:
    """The journal; None once root, who was told why there is none, says to end. Blocks.

    The first supervisor of a server has nobody to wait for, and says so if there is no room. A later one has live
    runs to take up: it goes on without room, and waits for it where the journal can't even be opened.
    """
    told = False
    while True:
        try:
            synchronous = start.settings.state.synchronous
            return PatientWriter(Path(start.state_dir), synchronous, may_be_full=not start.is_first)
        except StateFolderUnusable as error:
            if start.is_first or not isinstance(error, StateFolderFull):
                _refuse(control, str(error))
                return None
            if not told:
                server_log.say(f"{error}; waiting for room", "error")
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

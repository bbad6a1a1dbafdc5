"""What a warden is given on its way: a key of its own, a leaf, a work folder, a user, the files of its log.

All of it is taken for one attempt and given back at its end, but for the user, which a run's later attempts have too.
"""

import os
from typing import Protocol

import msgspec

from . import limits, logs
from .actor import Actor
from .containment import uids
from .containment.holders import RLIMIT, WARDEN, holders
from .containment.leaves import Leaves
from .containment.walls import UID
from .mailbox import Guard, KeyPair
from .messages.with_zygote import Fork
from .records import RunRecord
from .roles import SupervisorStart
from .run_users import RunUsers
from .work_folders import WorkFolders


class Keeper(Protocol):
    """Whom a warden is forked for: a run, or a spare that a run will take."""

    record: RunRecord
    keys: KeyPair | None


class Provisions:
    """What there is of it in a server. The supervisor's."""

    def __init__(self, actor: Actor, start: SupervisorStart, guard: Guard) -> None:
        self._agents = start.settings.agents
        self._state_dir = start.state_dir
        self._keeps_logs = start.settings.events.max_log_bytes > 0
        logs.prepare(start.state_dir)
        self._guard = guard
        self.leaves = Leaves(start.found.places, start.state_dir)
        self.folders = WorkFolders(actor, start.state_dir, start.found.walls_held)
        own_users = UID in start.found.walls_held
        self._holders = holders(start.found, own_users).limits
        first_uid, last_uid = uids.range_of(start.settings, start.state_dir)
        self._users = RunUsers(actor, first_uid + 1, last_uid) if own_users else None

    def take_over(self, holding: list[RunRecord], all_live: list[RunRecord], by_user: bool) -> None:
        """Keep what runs of an earlier supervisor have, and end what else it left in leaves and folders, and of users
        if those are what runs are killed by."""
        self.leaves.take_over(record.leaf for record in holding)
        self.folders.take_over(record.run_id for record in holding)
        if self._users is not None:
            self._users.take_over((record.uid for record in all_live), by_user)

    def make_key(self, keeper: Keeper) -> None:
        """Let its warden in by a new key."""
        keeper.keys = KeyPair.generate()
        keeper.record.warden_key = keeper.keys.public.decode()
        self.admit(keeper)

    def admit(self, keeper: Keeper) -> None:
        """Let its warden in by the key that it has."""
        if keeper.record.warden_key is not None:
            self._guard.admit(keeper.record.warden_key.encode(), holder(keeper))

    def fork_for(self, keeper: Keeper, spare: bool = False) -> Fork:
        """What its zygote is asked. Raises OSError if it can't be given something."""
        record = keeper.record
        spec = self._agents[record.agent]
        memory_bytes, pids, size_bytes = (
            int(record.limits.get(name, 0)) for name in ("memory_bytes", "pids", "work_folder_bytes")
        )
        pids += limits.own_threads(spec) if pids else 0
        record.leaf = self.leaves.take(memory_bytes, pids)
        place = self.folders.place(record.run_id, spec, size_bytes)
        if self._users is not None:
            record.uid = self._users.take(record.uid)
            place = msgspec.structs.replace(place, uid=record.uid)
        bound, watched = (limits.held_by(who, record.limits, self._holders) for who in (RLIMIT, WARDEN))
        return Fork(record.run_id, record.attempt, place, record.leaf, bound, watched, spare)

    def descriptors(self, keeper: Keeper) -> list[int]:
        """What its warden is given: the pipe with its keys, and the files of the run's log, if one is kept."""
        log = logs.open_all(self._state_dir, keeper.record.run_id) if self._keeps_logs else []
        try:
            return [_keys_pipe(keeper), *log]
        except OSError:
            for descriptor in log:
                os.close(descriptor)
            raise

    def give_back(self, keeper: Keeper) -> None:
        """The attempt ended: its key opens nothing any more, an empty log is no file. All but the user."""
        if keeper.record.warden_key is not None:
            self._guard.dismiss(keeper.record.warden_key.encode())
        if self._keeps_logs:
            logs.remove_empty(self._state_dir, keeper.record.run_id)
        self.leaves.give_back(keeper.record.leaf)
        self.folders.ended(keeper.record.run_id)

    def give_back_user(self, record: RunRecord) -> None:
        """No process of the run is left, and none will follow."""
        if self._users is not None:
            self._users.give_back(record.uid)

    def close(self) -> None:
        """At the end of the server."""
        self.leaves.remove_all()
        self.folders.close()


def holder(keeper: Keeper) -> str:
    """Who holds its key: a warden of an earlier attempt has another key, and is nobody."""
    return f"{keeper.record.run_id}/{keeper.record.attempt}"


def asked_by(keeper: Keeper) -> tuple[str, str, int]:
    """What its fork is asked for by, and answered."""
    return ("fork", keeper.record.run_id, keeper.record.attempt)


def _keys_pipe(keeper: Keeper) -> int:
    """The read end of a pipe that holds its keys, and nothing else ever."""
    assert keeper.keys is not None
    reads, writes = os.pipe()
    os.write(writes, keeper.keys.public + keeper.keys.secret)
    os.close(writes)
    return reads

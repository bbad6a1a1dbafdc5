"""Where an attack takes place: a server, a neighbour that may be hurt, and things that may be taken."""

import os
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import runward

from ..support import census
from ..support.client import Json
from ..support.delegation import second_hierarchy
from ..support.server import Server
from .programs.attacking import MARK

FILES = ("reads_a_file", "changes_a_file", "removes_a_file")  # one for each deed that is done to a file
CONTENT = "nobody-elses"
NEIGHBOUR = f"""
umask 077
for name in {" ".join(FILES)}; do printf {CONTENT} > $name; done
printf '{{"event": "message.delta", "delta": "%s"}}\\n' "$PWD"
exec cat > /dev/null
"""
SECRET = "neighbours-secret"
NAME = f"{MARK}-{os.getpid()}"  # of what an attacker makes
SETUID = f"setuid-{os.getpid()}"
ELSEWHERE = f"hostile-elsewhere-{os.getpid()}"  # a cgroup that no run is to get into
AGENTS = {
    "attacker": {"entrypoint": f"{Path(__file__).parent / 'programs' / 'attacking.py'}:attack"},
    "neighbour": {"command": ["/bin/sh", "-c", NEIGHBOUR], "env": {"SECRET": SECRET}},
}


class Neighbour:
    """Another run on the same server."""

    def __init__(self, server: Server) -> None:
        self._client = server.client
        self.run_id = self._client.start("neighbour")
        with self._client.stream(self.run_id) as stream:
            self.folder = stream.until("message.delta").event["delta"]
        self.pid = int(self._client.run(self.run_id)["process"]["pid"])

    @property
    def lives(self) -> bool:
        return bool(self._client.run(self.run_id)["status"] == "running")

    def sees(self, name: str) -> Path:
        """The path on the host of what it calls that."""
        return Path(f"/proc/{self.pid}/root{self.folder}/{name}")

    def end(self) -> list[Json]:
        """Its events, once it is killed, should it not be over already."""
        if self.lives:
            self._client.kill(self.run_id, wait=True)
        return self._client.events(self.run_id)


class Listening:
    """What waits to be reached, of the test's: by TCP, UDP, and Unix sockets with a path and without."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "listening")
        self.name = f"hostile-{os.getpid()}"
        self._streams = {
            "tcp": self._listen(socket.AF_INET, ("127.0.0.1", 0)),
            "a_unix_socket": self._listen(socket.AF_UNIX, self.path),
            "an_abstract_socket": self._listen(socket.AF_UNIX, f"\0{self.name}"),
        }
        os.chmod(self.path, 0o777)
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", 0))
        self._udp.setblocking(False)
        self.port = self._streams["tcp"].getsockname()[1]
        self.udp_port = self._udp.getsockname()[1]

    def _listen(self, family: int, address: Any) -> socket.socket:
        end = socket.socket(family, socket.SOCK_STREAM)
        end.bind(address)
        end.listen()
        end.setblocking(False)
        return end

    def was_reached(self, which: str) -> bool:
        """Since it was last asked, by this way."""
        with suppress(BlockingIOError):
            if which == "udp":
                return self._udp.recv(100) == MARK.encode()
            self._streams[which].accept()[0].close()
            return True
        return False

    def close(self) -> None:
        for end in (*self._streams.values(), self._udp):
            end.close()


class Scene:
    """One server, for one attack after another."""

    def __init__(self, server: Server, column: str, folder: Path, listening: Listening) -> None:
        self.server = server
        self.column = column
        self.listening = listening
        self.outside = folder
        self.outcomes: dict[str, tuple[str, str]] = {}
        self._members = self._own()

    def given(self, deed: str, against: str, neighbour: Neighbour) -> dict[str, Any]:
        """All that an attacker may want to know."""
        return {
            "victim": self.victim(against, neighbour),
            "path": str(self.path(deed, against, neighbour)),
            "runtime": str(self.server.mailboxes),
            "neighbour_run": neighbour.run_id,
            "forged": ["", "Hello", neighbour.run_id],
            "port": self.listening.port,
            "udp_port": self.listening.udp_port,
            "unix": self.listening.path,
            "abstract": self.listening.name,
            "server_port": int(self.server.url.rpartition(":")[2]),
        }

    def victim(self, against: str, neighbour: Neighbour) -> int | str:
        """The process that is meant: its pid, or "warden" for the attacker's own."""
        if against == "root":
            return self.server.pid
        if against == "neighbour":
            return neighbour.pid
        if against in ("supervisor", "facade", "zygote"):
            return self.server.members(against)[0].pid
        return "warden"

    def leave_private_files(self) -> None:
        """Of whoever serves, for nobody else."""
        owner = self.outside.stat()
        for name in FILES:
            path = self.outside / name
            path.write_text(CONTENT)
            path.chmod(0o600)
            os.chown(path, owner.st_uid, owner.st_gid)

    def path(self, deed: str, against: str, neighbour: Neighbour) -> Path:
        """The file or folder that is meant, as the attacker can name it."""
        places = {
            "journal": self.server.folder / "state" / "journal.db",
            "state": self.server.folder / "state" / NAME,
            "sockets": self.server.mailboxes / NAME,
            "shadow": Path("/etc/shadow"),
            "private": self.outside / deed,
            "outside": self.outside / NAME,
            "interpreter": Path(sys.prefix) / NAME,
            "package": Path(runward.__file__).parent / NAME,
            "tmp": Path("/tmp") / NAME,
            "shm": Path("/dev/shm") / NAME,
            "neighbours": Path(neighbour.folder) / deed,
            "beside": Path(neighbour.folder) / NAME,
            "setuid": self.outside / SETUID,
            "setuid_tmp": Path("/tmp") / SETUID,
            "setuid_own": Path(SETUID),
            "cgroup": self.cgroup,
            "elsewhere": self.cgroup / ELSEWHERE,
        }
        return places.get(against, Path())

    def tidy(self) -> None:
        """Remove what an attacker may have left outside the server's folder."""
        for folder in (sys.prefix, Path(runward.__file__).parent, "/tmp", "/dev/shm"):
            for name in (NAME, SETUID):
                (Path(folder) / name).unlink(missing_ok=True)

    def check_nobody_left(self) -> None:
        """No process of any run, neither below the server nor where one may have gone."""
        self.server.await_no_runs()
        elsewhere = self.cgroup / ELSEWHERE / "cgroup.procs"
        assert not elsewhere.exists() or elsewhere.read_text() == ""

    @property
    def cgroup(self) -> Path:
        """Of the server's, in the second hierarchy."""
        own = Path(f"/proc/{self.server.pid}/cgroup").read_text().splitlines()
        (path,) = [line.removeprefix("0::") for line in own if line.startswith("0::")]
        return second_hierarchy() / path.strip("/")

    def check_unhurt(self) -> None:
        """Every process of the server is the one that it was, and it answers."""
        assert self._own() == self._members, self.server.log
        assert self.server.client.is_healthy()

    def _own(self) -> set[int]:
        roles = ("supervisor", "facade", "zygote")
        return {each.pid for each in census.below(self.server.pid) if each.role in roles}

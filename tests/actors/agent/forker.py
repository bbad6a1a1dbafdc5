"""What zygote and warden do for an agent, in small: forks agent processes on request, and tells how each ends.

Run as `python -m tests.actors.agent.forker FD`. A request is one packet on that socket: JSON, and four
descriptors: the agent's link, its stdout, its stderr, and where to report its pid and its wait status.
"""

import os
import socket
import sys

import msgspec

from runward.actors import agent
from runward.config.settings import AgentSpec


class Request(msgspec.Struct):
    spec: AgentSpec
    run_id: str
    work_folder: str
    max_event_bytes: int


def main(requests: socket.socket) -> None:
    while True:
        packet, descriptors, _, _ = socket.recv_fds(requests, 1_048_576, 4)
        if not packet:
            return
        if os.fork() == 0:
            requests.close()
            _keep(msgspec.json.decode(packet, type=Request), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        _reap()


def _keep(request: Request, link: int, out: int, err: int, report: int) -> None:
    """Fork the agent, report its pid and its wait status, and be gone."""
    pid = os.fork()
    if pid == 0:
        os.close(report)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.closerange(3, link)
        os.closerange(link + 1, 256)
        os.chdir(request.work_folder)
        agent.main(link, os.dup(link), request.spec, request.run_id, request.max_event_bytes)
    for descriptor in (link, out, err):
        os.close(descriptor)
    os.write(report, b"%d\n" % pid)
    _, status = os.waitpid(pid, 0)
    os.write(report, b"%d\n" % status)
    os._exit(0)


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))

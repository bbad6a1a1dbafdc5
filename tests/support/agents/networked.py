"""An agent that tries to reach what its input names, in one way or another, and answers what came of each."""

import json
import os
import socket
import subprocess
import urllib.request
from collections.abc import Callable
from urllib.error import HTTPError

from runward.actors.run import Run

PROXY = ("127.0.0.1", 3128)
PATIENCE_S = 20.0


def reach(text: str) -> list[str]:
    """`text`: a JSON list of [way, argument]."""
    return [_outcome(WAYS[way], argument) for way, argument in json.loads(text)]


def insist(url: str) -> str:
    """Needs it, and fails without."""
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
        return str(answer.read().decode())


def hold(count: str, run: Run) -> None:
    """Keeps so many connections to the proxy open, and says how many; then waits to be stopped."""
    held = [socket.create_connection(PROXY) for _ in range(int(count))]
    run.emit("test.held", count=len(held))
    run.interrupted.wait()


def _outcome(way: Callable[[str], str], argument: str) -> str:
    try:
        return way(argument)
    except HTTPError as refused:
        return f"{refused.code} {refused.read().decode()}"
    except OSError as error:
        return f"{type(error).__name__} {error}"


def _post(argument: str) -> str:
    url, _, size = argument.partition(" ")
    with urllib.request.urlopen(url, b"x" * int(size), timeout=PATIENCE_S) as answer:
        return str(answer.read().decode())


def _curl(argument: str) -> str:
    done = subprocess.run(["curl", "-sS", "-m", "20", *argument.split()], capture_output=True, check=False)
    return done.stdout.decode() or done.stderr.decode()


def _raw(text: str) -> str:
    """Say this to the proxy, and hear all that it answers."""
    with socket.create_connection(PROXY, PATIENCE_S) as near:
        near.sendall(text.encode("latin-1"))
        return _rest(near)


def _giant(size: str) -> str:
    with socket.create_connection(PROXY, PATIENCE_S) as near:
        near.sendall(b"GET http://localhost/ HTTP/1.1\r\nx: " + b"y" * int(size))
        return _rest(near)


def _rest(near: socket.socket) -> str:
    answer = b""
    try:
        while piece := near.recv(65_536):
            answer += piece
    except ConnectionResetError:
        answer += b"<reset>"
    return answer.decode("latin-1")


def _connect(address: str) -> str:
    host, _, port = address.rpartition(":")
    socket.create_connection((host, int(port)), PATIENCE_S).close()
    return "connected"


def _variables(_: str) -> str:
    return json.dumps({name: text for name, text in os.environ.items() if "proxy" in name.lower()})


WAYS: dict[str, Callable[[str], str]] = {
    "get": insist,
    "post": _post,
    "curl": _curl,
    "raw": _raw,
    "giant": _giant,
    "connect": _connect,
    "resolve": lambda name: str(socket.getaddrinfo(name, 80)),
    "variables": _variables,
}

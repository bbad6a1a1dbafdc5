"""The job of commands: what an operator waits for who types `runward stop`."""

import os
import subprocess
import sys
import time
from typing import Any

from .connection import Connection, Refused
from .job import Job, Result
from .jobs_stops import READY
from .runs import follow, last_event, start

INTERPRETER = [sys.executable, "-P", "-c", ""]
STOP = [sys.executable, "-P", "-m", "runward", "stop", "--grace", "0"]
PATIENCE_S = 60.0


def commands(job: Job) -> Result:
    """`count` times `runward stop ID --grace 0` of a run that spins and ignores signals.

    `proof_ms`: from the start of the command to the terminal event, `receipt_ms`: to the end of the command; both
    without what an interpreter took that did nothing, just before.
    """
    result: Result = {"proof_ms": [], "receipt_ms": [], "interpreter_ms": []}
    for number in range(job.number("count")):
        _stop_one(job, f"bomb rwc{number} 1 {job.sizes['seconds']}", result)
    return result


def _stop_one(job: Job, text: str, result: Result) -> None:
    began = time.time()
    subprocess.run(INTERPRETER, check=True)
    interpreter_s = time.time() - began
    watching = Connection(job.address)
    run_id = start(watching, "bench", text)
    typed: list[tuple[float, subprocess.Popen[Any]]] = []

    def type_it(part: bytes) -> None:
        if not typed and READY in part:
            typed.append((time.time(), _typed(job, run_id)))

    ended = follow(watching, run_id, type_it)
    watching.close()
    if not typed:
        raise Refused(f"{run_id} ended by itself: {ended.text[-400:]!r}")
    asked, command = typed[0]
    code = command.wait(PATIENCE_S)
    over = time.time()
    receipt = last_event(ended)["exit"]
    if code != 0 or receipt["rung"] != "kill" or receipt["survivors"]:
        raise Refused(f"the command ended with {code}, the run with {receipt}")
    result["interpreter_ms"].append(interpreter_s * 1000)
    result["proof_ms"].append((ended.at - asked - interpreter_s) * 1000)
    result["receipt_ms"].append((over - asked - interpreter_s) * 1000)


def _typed(job: Job, run_id: str) -> "subprocess.Popen[Any]":
    host, port = job.address
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    return subprocess.Popen(
        [*STOP, run_id, "--url", url],
        env=os.environ | {"RUNWARD_API_KEY": "none-is-asked-for"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

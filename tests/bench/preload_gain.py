"""Measures what `preload` saves: `python -m tests.bench.preload_gain [MODULE …]`, by default numpy and pydantic.

Two agents that import the same modules and say one word, one with a preload and one without, take turns. For each:
from the POST to the first word (ms), and the CPU time of warden and agent in one run, as the zygote's kernel counts
it in ticks of 10 ms. Not a test: the figures are in docs/preload.md.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from ..support.server import Server, running

RUNS = 50
AGENT = "def run(text):\n    import {}\n    yield text\n"


def main(modules: list[str]) -> None:
    """Measure, and print two lines and how busy the machine was."""
    with tempfile.TemporaryDirectory(prefix="rw-preload-") as name:
        folder = Path(name)
        (folder / "agent.py").write_text(AGENT.format(", ".join(modules)))
        plain = {"entrypoint": "agent.py:run"}
        agents = {"without": plain, "with": {**plain, "preload": modules}}
        with running(folder, {"runs": {"start_timeout_s": 120.0}, "agents": agents}) as server:
            _measure(server, list(agents))


def _measure(server: Server, agents: list[str]) -> None:
    for agent in agents:
        server.client.ended(server.client.start(agent))
    cpu_before = {agent: _children_cpu_s(server, agent) for agent in agents}
    first_ms: dict[str, list[float]] = {agent: [] for agent in agents}
    for _ in range(RUNS):
        for agent in agents:
            first_ms[agent].append(_first_word_ms(server, agent))
    for agent in agents:
        cpu_ms = (_children_cpu_s(server, agent) - cpu_before[agent]) * 1000 / RUNS
        p50, p90 = statistics.median(first_ms[agent]), statistics.quantiles(first_ms[agent], n=10)[-1]
        sys.stdout.write(
            f"{agent:8} first word p50 {p50:.1f} ms, p90 {p90:.1f} ms; CPU {cpu_ms:.1f} ms a run\n"
        )
    sys.stdout.write(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs\n")


def _first_word_ms(server: Server, agent: str) -> float:
    began = time.perf_counter()
    run_id = server.client.start(agent)
    with server.client.stream(run_id) as stream:
        stream.until("message.delta")
        took_ms = (time.perf_counter() - began) * 1000
        stream.rest()
    server.await_no_runs()
    return took_ms


def _children_cpu_s(server: Server, agent: str) -> float:
    """CPU of all that this agent's zygote has waited for (proc_pid_stat(5), cutime and cstime)."""
    pid = server.member(f"zygote {agent}").pid
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main(sys.argv[1:] or ["numpy", "pydantic"])

"""SmolLM2 behind an OpenAI-compatible port of loopback."""

import os
import socket
import sys

import xllamacpp

from runward.actors import smollm


def free_port() -> int:
    """One that nobody has. The engine does not tell which it took by itself."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


params = xllamacpp.CommonParams()
params.model.path = str(smollm.weights())
params.n_ctx = 8192
params.cpuparams.n_threads = len(os.sched_getaffinity(0))
params.n_predict = 60  # so small a model does not know when to end
params.warmup = False
params.verbosity = -1
params.use_jinja = True
params.hostnames = ["127.0.0.1"]
params.port = free_port()
server = xllamacpp.Server(params)
sys.stdout.write(f"{server.listening_address}/v1\n")
sys.stdout.flush()
sys.stdin.read()
os._exit(0)  # without waiting for what it computes

"""A process that embeds a server with a run that never ends, says so, and waits until something ends it."""

import signal
import sys

import runward

GRACES = {"runs": {"interrupt_grace_s": 0.2, "terminate_grace_s": 0.2}}


def main() -> None:
    with runward.Server(settings=GRACES) as server:
        run = server.client.start("x", "spin")
        next(event for event in run.stream() if event.text)
        sys.stdout.write(f"{server.pid}\n")
        sys.stdout.flush()
        if sys.argv[1] == "leave":
            return
        signal.pause()


if __name__ == "__main__":
    main()

"""The load client's process: `python -m runward.bin.benching.client`. A job as JSON on stdin, a result on stdout.

It loads the standard library alone, and shares nothing with the server but the machine and its clock.
"""

import json
import sys
from collections.abc import Callable

from . import jobs_commands, jobs_events, jobs_runs, jobs_sharing, jobs_stops, jobs_streams
from .connection import Refused
from .job import Job, Result

JOBS: dict[str, Callable[[Job], Result]] = {
    "trivial": jobs_runs.trivial,
    "at_once": jobs_runs.at_once,
    "flood": jobs_events.flood,
    "streams": jobs_streams.streams,
    "burns": jobs_sharing.burns,
    "stops": jobs_stops.stops,
    "kills": jobs_stops.kills,
    "commands": jobs_commands.commands,
    "idle": jobs_sharing.idle,
    "growth": jobs_sharing.growth,
}


def main() -> int:
    """Do the job; 0 if it could be done, else 1 and the reason on stderr."""
    asked = json.load(sys.stdin)
    job = Job(asked["name"], (asked["host"], asked["port"]), asked["root"], asked["sizes"])
    try:
        result = JOBS[job.name](job)
    except (Refused, OSError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    json.dump(result, sys.stdout)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

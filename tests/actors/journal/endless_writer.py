"""A process that writes a journal until it is killed, and says on stdout what is committed.

`python -m tests.actors.journal.endless_writer FOLDER commits`: a number for each committed event.
`… FOLDER uncommitted`: one committed event, then more than a cache of others in a transaction left open.
"""

import sys
from pathlib import Path

from runward.actors.journal.writer import Writer

from .making import GIVEN, a_record, line, lines


def commits(writer: Writer, key: int) -> None:
    record, n = a_record(), 0
    while True:
        n += 1
        record.last_seq = n
        writer.append(key, n, n, line(n, "x" * (n % 5000)))
        writer.save_run(key, record)
        writer.commit()
        print(n, flush=True)  # noqa: T201 - the test waits for it


def uncommitted(writer: Writer, key: int) -> None:
    writer.append(key, 1, 1, line(1))
    writer.commit()
    for n in range(2, 42, 4):
        writer.append(key, n, n + 3, lines(n, n + 3, "x" * 250_000))
    writer.add_run(a_record("run_2"), GIVEN)
    print("open", flush=True)  # noqa: T201
    sys.stdin.read()


if __name__ == "__main__":
    journal = Writer(Path(sys.argv[1]))
    run = journal.add_run(a_record(), GIVEN)
    journal.commit()
    {"commits": commits, "uncommitted": uncommitted}[sys.argv[2]](journal, run)

"""What actors say to each other: one frozen, checked tuple per message, one closed set per direction.

Order that every run keeps: `Hello` before any `Events`, `Exited` last and once, nothing after. Numbers `n` count
one attempt's events from 1 without a gap; `seq` is the supervisor's and never appears here.
Bytes are `wire.py`'s business. A new message is added at the end of its union and given a `tag` of its own.
"""

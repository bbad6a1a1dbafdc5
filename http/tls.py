"""When this facade reads the certificates that the machine trusts: not at its start, but for its first https webhook.

aiohttp reads them as it is imported, all of them and twice, for clients that may come: a quarter of what the start of
a facade took. Who reads none trusts none, so a connection that is not given `verifying()` can't be made at all.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache


@contextmanager
def certificates_unread() -> Iterator[None]:
    """What is imported meanwhile reads no certificates for its TLS contexts. For a process with one thread."""
    # The method is inherited from C: one of the class's own hides it, and can be taken away again.
    ssl.SSLContext.set_default_verify_paths = _read_none  # type: ignore[method-assign]
    try:
        yield
    finally:
        del ssl.SSLContext.set_default_verify_paths


def _read_none(self: ssl.SSLContext) -> None:
    pass


@cache
def verifying() -> ssl.SSLContext:
    """For connections to servers that show a certificate which this machine trusts. Blocks the first time (50 ms)."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context

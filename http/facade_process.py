"""Where the process of a facade begins: it imports what it is made of, and no certificates (see `tls.py`)."""

from .tls import certificates_unread

with certificates_unread():
    from .app import begin

__all__ = ["begin"]

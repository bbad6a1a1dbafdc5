"""Whether an address is one of this machine's own."""

import socket
from ipaddress import IPv6Address

from .reachable import Address


def is_own(address: Address) -> bool:
    """Whether this machine has that address: then what it would send there from is the same."""
    family = socket.AF_INET6 if isinstance(address, IPv6Address) else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
            probe.connect((str(address), 9))
            return str(probe.getsockname()[0]) == str(address)
    except OSError:
        return False  # there is no way there

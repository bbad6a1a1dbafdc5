"""Which names in a Host header are ours. Pure.

A page of another site can make a browser send requests here by having its own name resolve to our address (DNS
rebinding); but the Host header then still holds that name.
"""

import ipaddress
from collections.abc import Iterable

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class OurHosts:
    """The loopback names, the host that is listened on, and those that the operator allows."""

    def __init__(self, bound: str, allowed: Iterable[str]) -> None:
        self._names = _LOOPBACK | {_bare(name) for name in (bound, *allowed)}
        self._any_address = _is_wildcard(bound)

    def __contains__(self, host: str) -> bool:
        """Whether a Host header of this text means us. Where all addresses are listened on, any address does:
        which are ours is not known, and an address can't be rebound.
        """
        name = _bare(host)
        return name in self._names or (self._any_address and _is_address(name))


def _bare(host: str) -> str:
    """The name in a Host header or a setting: lower case, without port, brackets and final dot."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    if host.count(":") > 1:
        return host.lower()
    return host.partition(":")[0].rstrip(".").lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_wildcard(host: str) -> bool:
    return _is_address(host) and ipaddress.ip_address(host).is_unspecified

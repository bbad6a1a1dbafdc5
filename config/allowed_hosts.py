"""What an entry of `allow_hosts` says: which hosts or addresses, on which ports. Pure: nothing is looked up."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple

WEB_PORTS = frozenset({80, 443})
ANY = "*"
FORMS = (
    '"HOST", "HOST:PORT", "*.DOMAIN", "*", an address or a network such as "10.0.0.0/8:8080" or "[::1]:80"'
)

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?:\*|(?:\*\.)?{_LABEL}(?:\.{_LABEL})*)")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # what inet_aton(3) takes for a part of an address
_LONGEST_NAME = 253


class AllowedHost(NamedTuple):
    """One entry. `name`: in lower case, with `*` as it was written; "" where `network` tells addresses."""

    name: str
    network: IPv4Network | IPv6Network | None
    ports: frozenset[int]

    def names(self, host: str) -> bool:
        """Whether it means this name, which is in lower case."""
        if self.name.startswith("*."):
            return host.endswith(self.name[1:]) and len(host) >= len(self.name)
        return self.name in (ANY, host)


def parse(entry: str) -> AllowedHost:
    """Raises ValueError, whose message says what is wrong with the entry."""
    host, ports = _split(entry.strip().lower())
    try:
        return AllowedHost("", ip_network(host.strip("[]")), ports)
    except ValueError:
        if not is_name(host) and host != ANY and not (host.startswith("*.") and is_name(host[2:])):
            raise ValueError(f"is none of {FORMS}: {entry!r}") from None
        return AllowedHost(host, None, ports)


def is_name(host: str) -> bool:
    """Whether it is a host name in lower case, and nothing that could be taken for an address."""
    known = _NAME.fullmatch(host) is not None and not host.startswith("*") and len(host) <= _LONGEST_NAME
    return known and _NUMBER.fullmatch(host.rpartition(".")[2]) is None


def _split(entry: str) -> tuple[str, frozenset[int]]:
    """Host and ports: those of the web, if none is named."""
    host, colon, port = entry.rpartition(":")
    if not colon or entry.endswith("]") or (":" in host and not host.endswith("]")):
        return entry, WEB_PORTS
    if not port.isascii() or not port.isdecimal() or not 0 < int(port[:6]) < 65_536:
        raise ValueError(f"has a port that is no number from 1 to 65535: {entry!r}")
    return host, frozenset({int(port)})

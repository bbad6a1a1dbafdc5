"""What an agent behind the proxy may reach: names by the list, addresses by what they are. Pure: looks nothing up.

A name that is allowed says nothing about where it leads: whoever answers for it could let it lead to this machine's
loopback, to its cloud's metadata or into the network behind it. So every address is judged by itself, after it was
resolved, and what is not open to everybody is reached only if the list names that very address.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from ..config.allowed_hosts import ANY, parse

Address = IPv4Address | IPv6Address

LOCALHOST = "localhost"
# Beside what `ipaddress` knows (IANA's special-purpose registries).
_NOT_PUBLIC = {
    ip_network("168.63.129.16/32"): "an address of the cloud's own services",
    ip_network("192.0.0.0/24"): "an address of the cloud's own services",
    ip_network("192.88.99.0/24"): "a translated address",
    ip_network("64:ff9b::/96"): "a translated address",
    ip_network("64:ff9b:1::/48"): "a translated address",
    ip_network("2001::/32"): "a translated address",
    ip_network("2002::/16"): "a translated address",
}


def plain(address: Address) -> Address:
    """An IPv4 address that is written as one of IPv6 is what it stands for, to the kernel too."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def kind_of(address: Address) -> str | None:
    """Why not everybody can reach it, in words; None for a public address. It has to be `plain`."""
    kinds = {
        "is_unspecified": "no address",
        "is_loopback": "a loopback address",
        "is_link_local": "a link-local address",
        "is_multicast": "a multicast address",
        "is_private": "a private address",
    }
    for network, kind in _NOT_PUBLIC.items():
        if address.version == network.version and address in network:
            return kind
    for name, kind in kinds.items():
        if getattr(address, name):
            return kind
    return None if address.is_global and not address.is_reserved else "a reserved address"


def literal(host: str) -> Address | None:
    """The address that a host of a request is written as, if it is one."""
    try:
        return plain(ip_address(host))
    except ValueError:
        return None


class Reachable:
    """One allow-list. `key`: the setting that holds it, for what is said to people."""

    def __init__(self, key: str, entries: Iterable[str]) -> None:
        """Raises ValueError for an entry that is none."""
        self._key = key
        self._allowed = [parse(entry) for entry in entries]

    def refuses_host(self, host: str, port: int) -> str | None:
        """Why this host, as a request names it in lower case, may not be asked for; None if it may."""
        address = literal(host)
        if address is not None:
            return self.refuses_address(address, port, host)
        if any(one.names(host) and port in one.ports for one in self._allowed):
            return None
        return f"{_shown(host, port)} is not in {self._key} ({_listing(host, port)} would allow it)"

    def refuses_address(
        self, address: Address, port: int, host: str, is_this_machine: bool = False
    ) -> str | None:
        """Why this address, which is `plain` and to which `host` leads, may not be connected to.

        `is_this_machine`: it is one of the machine's own, so that also what listens there for nobody else answers.
        """
        if self._lists(address, port) or self._is_localhost(address, port, host):
            return None
        kind = kind_of(address) or ("an address of this machine" if is_this_machine else None)
        by_name = literal(host) is None
        if kind is None and (by_name or any(one.name == ANY and port in one.ports for one in self._allowed)):
            return None
        what = _shown(str(address), port)
        if by_name:
            what = f"{_shown(host, port)} leads to {address}, {kind}, which"
        elif kind is not None:
            what = f"{what}, {kind},"
        return f"{what} is not in {self._key} ({_listing(str(address), port)} would allow it)"

    def _lists(self, address: Address, port: int) -> bool:
        return any(
            one.network is not None
            and one.network.version == address.version
            and address in one.network
            and port in one.ports
            for one in self._allowed
        )

    def _is_localhost(self, address: Address, port: int, host: str) -> bool:
        listed = any(one.name == LOCALHOST and port in one.ports for one in self._allowed)
        return listed and host == LOCALHOST and address.is_loopback


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _listing(host: str, port: int) -> str:
    return f'"{_shown(host, port)}"'

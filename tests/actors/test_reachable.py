"""What an agent behind the proxy may reach: by name if the list names it, by address if that is open to everybody."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runward.actors.reachable import Reachable, kind_of, literal, plain

PUBLIC = "93.184.215.14"


def refused(host: str, address: str, port: int, *entries: str, own: bool = False) -> str | None:
    return Reachable("agents.a.allow_hosts", entries).refuses_address(
        plain(ip_address(address)), port, host, own
    )


@pytest.mark.parametrize(
    ("host", "port", "entries", "allowed"),
    [
        ("a.example", 443, ["a.example"], True),
        ("a.example", 8443, ["a.example"], False),
        ("a.example", 8443, ["a.example:8443"], True),
        ("b.example", 443, ["a.example"], False),
        ("b.example", 443, ["*"], True),
        (PUBLIC, 443, ["*"], True),
        (PUBLIC, 443, ["a.example"], False),
        (PUBLIC, 443, [PUBLIC], True),
        ("10.1.2.3", 80, ["*"], False),
        ("10.1.2.3", 80, ["10.0.0.0/8"], True),
        ("10.1.2.3", 81, ["10.0.0.0/8"], False),
        ("::ffff:10.1.2.3", 80, ["10.0.0.0/8"], True),
        ("::ffff:127.0.0.1", 80, ["*"], False),
    ],
)
def test_who_may_be_asked_for(host: str, port: int, entries: list[str], allowed: bool) -> None:
    assert (Reachable("agents.a.allow_hosts", entries).refuses_host(host, port) is None) is allowed


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "a loopback address"),
        ("127.9.9.9", "a loopback address"),
        ("::1", "a loopback address"),
        ("::ffff:127.0.0.1", "a loopback address"),
        ("0.0.0.0", "no address"),
        ("::", "no address"),
        ("169.254.169.254", "a link-local address"),
        ("fe80::1", "a link-local address"),
        ("::ffff:169.254.169.254", "a link-local address"),
        ("10.0.0.1", "a private address"),
        ("172.16.0.1", "a private address"),
        ("192.168.1.1", "a private address"),
        ("fd00:ec2::254", "a private address"),
        ("100.100.100.200", "a reserved address"),
        ("168.63.129.16", "an address of the cloud's own services"),
        ("192.0.0.192", "an address of the cloud's own services"),
        ("224.0.0.1", "a multicast address"),
        ("ff02::1", "a multicast address"),
        ("255.255.255.255", "a private address"),
        ("64:ff9b::a9fe:a9fe", "a translated address"),
        ("2002:7f00:1::", "a translated address"),
        ("::7f00:1", "a reserved address"),
    ],
)
def test_what_is_not_everybodys_is_reached_only_if_that_very_address_is_listed(
    address: str, kind: str
) -> None:
    assert kind_of(plain(ip_address(address))) == kind
    said = refused("a.example", address, 443, "a.example", "*")
    assert said is not None
    assert (
        f"a.example:443 leads to {plain(ip_address(address))}, {kind}, which is not in agents.a.allow_hosts"
        in said
    )
    bracketed = f"[{address}]" if ":" in address and "." not in address else str(plain(ip_address(address)))
    assert refused("a.example", address, 443, "a.example", bracketed) is None
    assert refused("a.example", address, 444, "a.example", bracketed) is not None


def test_a_public_address_is_reached_by_a_name_that_is_allowed() -> None:
    assert kind_of(ip_address(PUBLIC)) is None
    assert refused("a.example", PUBLIC, 443, "a.example") is None


def test_an_address_of_this_machine_is_as_its_loopback() -> None:
    said = refused("a.example", PUBLIC, 443, "a.example", own=True)
    assert said is not None
    assert "an address of this machine" in said
    assert refused("a.example", PUBLIC, 443, "a.example", PUBLIC, own=True) is None


def test_localhost_may_be_listed_by_its_name_and_no_other_name_gets_there() -> None:
    for address in ("127.0.0.1", "::1"):
        assert refused("localhost", address, 8000, "localhost:8000") is None
        assert refused("localhost", address, 8001, "localhost:8000") is not None
        assert refused("localhost", address, 8000, "*:8000") is not None
        assert refused("a.example", address, 8000, "localhost:8000", "*:8000") is not None
    assert refused("localhost", "10.0.0.1", 8000, "localhost:8000") is not None


def test_a_refusal_says_which_key_would_allow_it() -> None:
    said = Reachable("agents.x.allow_hosts", ["a.example"]).refuses_host("b.example", 443)
    assert said == 'b.example:443 is not in agents.x.allow_hosts ("b.example:443" would allow it)'
    said = Reachable("agents.x.allow_hosts", ["a.example"]).refuses_host("::1", 80)
    assert said == '[::1]:80, a loopback address, is not in agents.x.allow_hosts ("[::1]:80" would allow it)'
    assert Reachable("agents.x.allow_hosts", ["[::1]:80"]).refuses_host("::1", 80) is None


@given(st.ip_addresses(v=4))
def test_a_mapped_address_is_judged_as_what_it_stands_for(address: IPv4Address) -> None:
    mapped = IPv6Address(f"::ffff:{address}")
    assert plain(mapped) == address == literal(str(mapped))


@given(st.ip_addresses())
def test_nothing_that_is_not_global_is_public(address: IPv4Address | IPv6Address) -> None:
    address = plain(address)
    if address.is_private or address.is_loopback or address.is_link_local or not address.is_global:
        assert kind_of(address) is not None

"""What an entry of `allow_hosts` means, and what is none."""

import pytest

from runward.config.allowed_hosts import WEB_PORTS, is_name, parse


@pytest.mark.parametrize(
    ("entry", "name", "ports"),
    [
        ("api.example.com", "api.example.com", WEB_PORTS),
        ("API.Example.com:8443", "api.example.com", {8443}),
        ("*.example.org:443", "*.example.org", {443}),
        ("*", "*", WEB_PORTS),
        ("*:443", "*", {443}),
        ("localhost:11434", "localhost", {11434}),
        ("_dns.example", "_dns.example", WEB_PORTS),
    ],
)
def test_a_name(entry: str, name: str, ports: set[int]) -> None:
    found = parse(entry)
    assert (found.name, found.network, set(found.ports)) == (name, None, set(ports))


@pytest.mark.parametrize(
    ("entry", "network", "ports"),
    [
        ("10.1.2.3", "10.1.2.3/32", WEB_PORTS),
        ("10.0.0.0/8:8080", "10.0.0.0/8", {8080}),
        ("127.0.0.1:9", "127.0.0.1/32", {9}),
        ("::1", "::1/128", WEB_PORTS),
        ("[::1]:9", "::1/128", {9}),
        ("[fd00::/8]", "fd00::/8", WEB_PORTS),
    ],
)
def test_addresses(entry: str, network: str, ports: set[int]) -> None:
    found = parse(entry)
    assert (found.name, str(found.network), set(found.ports)) == ("", network, set(ports))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("", "is none of"),
        ("a b", "is none of"),
        ("a..b", "is none of"),
        ("*a.example", "is none of"),
        ("a.*.example", "is none of"),
        ("http://a.example", "port"),
        ("a.example/x", "is none of"),
        ("10.0.0.1/8", "is none of"),
        ("127.1", "is none of"),
        ("2130706433", "is none of"),
        ("0x7f.1", "is none of"),
        ("a.0x7f", "is none of"),
        ("a.example:0", "port"),
        ("a.example:65536", "port"),
        ("a.example:²", "port"),
        ("a.example:", "port"),
        ("bücher.example", "is none of"),
        (f"{'a' * 64}.example", "is none of"),
        (".".join(["a" * 60] * 5), "is none of"),
    ],
)
def test_what_is_none_is_refused(entry: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse(entry)


@pytest.mark.parametrize(
    ("entry", "host", "means"),
    [
        ("example.com", "example.com", True),
        ("example.com", "www.example.com", False),
        ("*.example.com", "www.example.com", True),
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", ".example.com", False),
        ("*.example.com", "badexample.com", False),
        ("*", "anything.example", True),
    ],
)
def test_a_pattern_means_what_is_below_it(entry: str, host: str, means: bool) -> None:
    assert parse(entry).names(host) is means


@pytest.mark.parametrize(
    "host", ["127.1", "0x7f000001", "017700000001", "1", "a.1", "a.0x", "*", "*.a", "-a", "a-"]
)
def test_what_could_be_an_address_or_a_pattern_is_no_name(host: str) -> None:
    assert not is_name(host)

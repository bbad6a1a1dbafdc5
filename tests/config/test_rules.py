"""Rules between keys."""

import pytest

from runward.config import rules
from runward.config.settings import describe, is_loopback

from .conftest import LoadText
from .refusal import refused

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def keys(*pairs: tuple[str, str]) -> str:
    return "".join(f'[[auth.keys]]\nname = "{name}"\nrole = "run"\nhash = "{hash}"\n' for name, hash in pairs)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_a_server_without_keys_may_listen_where_only_this_machine_can_connect(
    host: str, load_text: LoadText
) -> None:
    assert is_loopback(host)
    assert load_text("[auth]\nmode = 'none'\n", {}, {"http.host": host}).auth.mode == "none"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.1", "example.com", "localhost.example.com"])
def test_a_server_without_keys_is_refused_where_others_can_connect(host: str, load_text: LoadText) -> None:
    assert not is_loopback(host)
    with refused("auth.mode") as refusal:
        load_text("", {"RUNWARD_AUTH_MODE": "none"}, {"http.host": host})
    assert refusal.text.startswith("environment RUNWARD_AUTH_MODE: auth.mode ")
    assert host in refusal.text
    assert load_text("", {}, {"http.host": host}).auth.mode == "key"


def test_keys_with_names_and_hashes_of_their_own_are_accepted(load_text: LoadText) -> None:
    loaded = load_text(keys(("a", A), ("b", B))).auth.keys
    assert [(key.name, key.role, key.hash) for key in loaded] == [("a", "run", A), ("b", "run", B)]


def test_two_keys_of_one_name_are_refused(load_text: LoadText) -> None:
    with refused("auth.keys[0].name", "auth.keys[1].name") as refusal:
        load_text(keys(("a", A), ("a", B)))
    assert all(line.startswith("file /") for line in refusal.lines)


def test_two_keys_of_one_hash_are_refused_and_the_hash_not_shown(load_text: LoadText) -> None:
    with refused("auth.keys[0].hash", "auth.keys[1].hash") as refusal:
        load_text(keys(("a", A), ("b", A)))
    assert "aaaa" not in refusal.text


@pytest.mark.parametrize("missing", ["name", "role", "hash"])
def test_a_key_must_have_all_its_fields(missing: str, load_text: LoadText) -> None:
    fields = {"name": "a", "role": "run", "hash": A}
    del fields[missing]
    with refused(f"auth.keys[0].{missing}") as refusal:
        load_text("[[auth.keys]]\n" + "\n".join(f'{name} = "{value}"' for name, value in fields.items()))
    assert refusal.text.endswith("is missing")


@pytest.mark.parametrize(("largest", "accepted"), [(1224, False), (1225, True)])
def test_a_message_must_be_able_to_hold_a_batch_and_one_event_more(
    largest: int, accepted: bool, load_text: LoadText
) -> None:
    others = "max_event_bytes = 200\nmax_batch_bytes = 100\nstderr_tail_bytes = 0\n"
    text = f"[events]\n{others}max_message_bytes = {largest}\n"
    if accepted:
        assert load_text(text).events.max_message_bytes == largest
    else:
        with refused("events.max_message_bytes"):
            load_text(text)


def test_an_event_limit_alone_that_outgrows_the_message_is_refused(load_text: LoadText) -> None:
    with refused("events.max_message_bytes"):
        load_text("[events]\nmax_event_bytes = 8_000_000\n")


def test_a_rule_is_not_asked_about_a_key_that_was_already_refused(load_text: LoadText) -> None:
    with refused("http.host", "events.max_event_bytes", "runs.builtin_agents[0]"):
        load_text(
            "[auth]\nmode = 'none'\n[http]\nhost = 'a b'\n"
            "[events]\nmax_message_bytes = 1\nmax_event_bytes = 'x'\n"
            "[runs]\nbuiltin_agents = ['eco']\n"
        )


def test_rules_are_asked_beside_mistakes_in_other_keys(load_text: LoadText) -> None:
    with refused("http.port", "auth.mode"):
        load_text("[auth]\nmode = 'none'\n[http]\nhost = '0.0.0.0'\nport = -1\n")


def test_traces_without_the_extra_are_refused_by_its_name(
    load_text: LoadText, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "TRACES_PACKAGE", "a-package-that-nobody-has")
    with refused("telemetry.traces") as refusal:
        load_text("[telemetry]\ntraces = true\n")
    assert 'pip install "runward[otel]"' in refusal.text
    assert load_text("[telemetry]\ntraces = false\n", {"OTEL_X": "1"}).trace_variables == {}


def test_the_variables_of_who_sends_traces_are_handed_on(
    load_text: LoadText, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "TRACES_PACKAGE", "msgspec")
    environ = {"OTEL_SERVICE_NAME": "house", "HOTEL": "no", "RUNWARD_TELEMETRY_TRACES": "true"}
    loaded = load_text("", environ)
    assert loaded.trace_variables == {"OTEL_SERVICE_NAME": "house"}
    assert "house" not in describe(loaded)

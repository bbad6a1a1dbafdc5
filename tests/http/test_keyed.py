"""Idempotency keys: which are keys, and which bodies are the same body."""

import tracemalloc

import pytest

from runward.actors.messages.answers import Refusal
from runward.actors.messages.commands import StartRun
from runward.http import keyed
from runward.http.errors import Problem

from .fake_supervisor import FakeSupervisor
from .running_facade import Running

SAME = [
    (b'{"a":1,"b":[{"c":2,"d":3}]}', b' { "b" : [ {"d":3, "c":2} ], "a" : 1 } '),
    (b'{"a":1}', b'{"a":1.0}'),
    (b'{"a":100}', b'{"a":1e2}'),
    (b'{"a":1e300}', b'{"a":10e299}'),
    (b'{"a":0}', b'{"a":-0.0}'),
    (b'{"a":"\xc3\xa9/"}', b'{"\\u0061":"\\u00e9\\/"}'),
    (b'{"a":1}', b'{"a":2,"a":1}'),
]
DIFFERENT = [
    (b'{"a":1}', b'{"a":2}'),
    (b'{"a":1}', b'{"a":"1"}'),
    (b'{"a":1}', b'{"a":true}'),
    (b'{"a":[1,2]}', b'{"a":[2,1]}'),
    (b'{"a":null}', b"{}"),
    (b'{"a":9007199254740993}', b'{"a":9007199254740992}'),
    (b'{"a":"\xc3\xa9"}', b'{"a":"e\xcc\x81"}'),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_bodies_that_say_the_same_are_the_same(one: bytes, other: bytes) -> None:
    assert keyed.body_hash(one) == keyed.body_hash(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_bodies_that_say_something_else_are_not(one: bytes, other: bytes) -> None:
    assert keyed.body_hash(one) != keyed.body_hash(other)


def test_a_small_body_is_not_made_a_large_one() -> None:
    body = b'{"a":[%b]}' % b",".join([b"1e308"] * 10_000)
    tracemalloc.start()
    try:
        keyed.body_hash(body)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 50 * len(body)  # written out, a number has 309 digits, and all of them are held twice


@pytest.mark.parametrize(
    "body", [b'{"a":%b}' % (b"9" * 5000), b'{"a":%b%b}' % (b"[" * 100_000, b"]" * 100_000)]
)
def test_a_body_that_nobody_can_hold_is_refused(body: bytes) -> None:
    with pytest.raises(Problem) as caught:
        keyed.body_hash(body)
    assert caught.value.kind.status == 400


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "ünï", "tab\there"])
async def test_a_key_that_is_none_is_refused_and_named(facade: Running, key: str) -> None:
    answer = await facade.ask("POST", "/v1/runs", json={"input": "x"}, headers={"Idempotency-Key": key})
    assert (answer.status, answer.json["error"]["param"]) == (400, "Idempotency-Key")


async def test_two_keys_are_refused(facade: Running) -> None:
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    answer = await facade.ask("POST", "/v1/runs", json={"input": "x"}, headers=headers)
    assert (answer.status, answer.json["error"]["param"]) == (400, "Idempotency-Key")


@pytest.mark.parametrize("key", ["x", "!~" + "x" * 253, '"quoted,too"'])
async def test_a_key_travels_with_the_hash_of_its_body(
    facade: Running, supervisor: FakeSupervisor, key: str
) -> None:
    body = b'{"input": "x"}'
    headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
    answer = await facade.ask("POST", "/v1/runs", "alice", data=body, headers=headers)
    assert answer.status == 202
    (command,) = [each for each in supervisor.heard if isinstance(each, StartRun)]
    assert (command.owner, command.idempotency_key) == ("alice", key)
    assert command.body_hash == keyed.body_hash(body)


async def test_without_a_key_nothing_is_hashed(facade: Running, supervisor: FakeSupervisor) -> None:
    await facade.ask("POST", "/v1/runs", json={"input": "x"})
    (command,) = [each for each in supervisor.heard if isinstance(each, StartRun)]
    assert (command.idempotency_key, command.body_hash) == (None, b"")


async def test_a_conflict_says_what_to_do(facade: Running, supervisor: FakeSupervisor) -> None:
    refusal = Refusal("", "idempotency_key_conflict", "take a new key", "Idempotency-Key")
    supervisor.refusing[StartRun] = refusal
    answer = await facade.ask("POST", "/v1/runs", json={"input": "x"}, headers={"Idempotency-Key": "a"})
    assert (answer.status, answer.code) == (409, "idempotency_key_conflict")
    assert answer.json["error"]["message"] == "take a new key"

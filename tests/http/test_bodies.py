"""Hostile and mistaken bodies: the worst answer is a 4xx, in the one shape, that says what to do."""

import asyncio
import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runward.actors.messages.commands import StartRun
from runward.http import bodies, inputs
from runward.http.errors import Problem
from runward.http.schemas import StartBody

from .conftest import StartFacade
from .fake_supervisor import FakeSupervisor
from .running_facade import Running, key_of

JSON = {"Content-Type": "application/json"}
ERROR_FIELDS = {"message", "type", "code", "param"}


async def post(facade: Running, body: bytes, content_type: str | None = "application/json") -> Any:
    headers = {} if content_type is None else {"Content-Type": content_type}
    skip = {"Content-Type"} if content_type is None else set()
    async with facade.session("olga", skip_auto_headers=skip) as session:
        response = await session.post("/v1/runs", data=body, headers=headers)
        return response.status, (await response.json()).get("error", {})


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"not json", b"{", b'{"input":"x"', b'{"input":"x"}{}', b"\x00", b"\xff\xfe",
        b'\xef\xbb\xbf{"input":"x"}',
        b'{"input":"\xff"}', b'{"input":"\\ud800"}', b'{"input":"\\udc00abcdef"}', b'{"input":"\xed\xa0\x80"}',
        b'{"input":"x","limits":{"wall_s":NaN}}', b'{"input":"x","limits":{"wall_s":Infinity}}',
        b"[" * 100_000, b'{"input":' + b"[" * 100_000, b'{"x":' * 100_000, b'{"unknown":' + b"[" * 100_000,
        b'{"input":"x\x01"}', b"'{}'", b'{"input":"x",}', b"{'input':'x'}",
    ],
)  # fmt: skip
async def test_what_is_not_json_is_refused(facade: Running, supervisor: FakeSupervisor, body: bytes) -> None:
    status, error = await post(facade, body)
    assert (status, error["code"]) == (400, "invalid_json"), error
    assert set(error) == ERROR_FIELDS
    assert not supervisor.inputs


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"1", b"null", b"true", b'[{"input":"x"}]'])
async def test_what_is_not_an_object_is_refused(facade: Running, body: bytes) -> None:
    status, error = await post(facade, body)
    assert (status, error["code"]) == (400, "invalid_json")
    assert "object" in error["message"]


@pytest.mark.parametrize(
    "body",
    [
        {}, {"input": ""}, {"input": None}, {"input": []}, {"input": [{"role": "user", "content": ""}]},
        {"input": [{"role": "user"}]}, {"input": [{"role": "user", "content": []}]}, {"agent": "echo"},
        {"input": [{"role": "user", "content": [{"type": "text", "text": ""}]}]},
        {"input": [{"role": "user", "content": None}]},
    ],
)  # fmt: skip
async def test_without_an_input_the_message_names_it(facade: Running, body: dict[str, Any]) -> None:
    status, error = await post(facade, msgspec.json.encode(body))
    assert status == 400
    assert (error["code"], error["param"]) == ("missing_field", "input")
    assert "input" in error["message"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("input", 1), ("input", True), ("input", {}), ("input", ["x"]), ("input", [{}]), ("input", [[]]),
        ("input", [{"role": 1, "content": "x"}]), ("input", [{"role": "user", "content": 5}]),
        ("input", [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]),
        ("input", [{"role": "user", "content": ["x"]}]), ("input", [{"role": "user", "content": [{"type": "text"}]}]),
        ("conversation_history", "x"), ("conversation_history", [1]), ("conversation_history", [{"content": "x"}]),
        ("instructions", 1), ("agent", 1), ("agent", ["a"]), ("model", {}), ("session_id", 1), ("session_id", ""),
        ("session_id", "x" * 257), ("session_id", "a\nb"), ("session_id", "\u0000"), ("parent_run_id", 1),
        ("metadata", []), ("metadata", {"a": 1}), ("metadata", {"a": None}), ("metadata", {"a": "x" * 16_384}),
        ("limits", []), ("limits", {"wall_s": "x"}), ("limits", {"wall_s": -1}), ("limits", {"wall_s": None}),
        ("limits", {"wall_s": True}),
    ],
)  # fmt: skip
async def test_a_field_of_the_wrong_kind_is_named(facade: Running, field: str, value: object) -> None:
    body = {"input": "x"} | {field: value}
    status, error = await post(facade, msgspec.json.encode(body))
    assert status == 400, error
    assert error["code"] == "invalid_value"
    assert field in error["message"]
    assert error["param"].startswith(field)


async def test_numbers_beyond_64_bits_and_deep_history_are_refused(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    huge = b'{"input":"x","conversation_history":[{"role":"user","content":"x","n":%b}]}'
    assert (await post(facade, huge % (b"9" * 40)))[0] == 400
    assert (await post(facade, huge % (b"9" * 20_000)))[0] == 400
    assert (await post(facade, huge % b"1e999"))[0] == 400
    assert (await post(facade, huge % (b"[" * 40 + b"]" * 40)))[0] == 400
    assert (await post(facade, b'{"input":"x","limits":{"wall_s":1e999}}'))[0] == 400
    assert (await post(facade, b'{"input":"x","limits":{"wall_s":%b}}' % (b"9" * 5000)))[0] == 400
    assert not supervisor.inputs
    assert (await post(facade, huge % (b"[" * 20 + b"]" * 20)))[0] == 202


async def test_of_a_doubled_key_the_last_one_counts(facade: Running, supervisor: FakeSupervisor) -> None:
    assert (await post(facade, b'{"input":"a","input":"b"}'))[0] == 202
    assert [start.given.input for start in supervisor.inputs.values()] == ["b"]


async def test_text_of_every_kind_comes_through(facade: Running, supervisor: FakeSupervisor) -> None:
    text = 'ü\u2028\x7f\U0001f600\r\n\u0000\\" data: x\n\nid: 7'
    assert (await post(facade, msgspec.json.encode({"input": text})))[0] == 202
    assert next(iter(supervisor.inputs.values())).given.input == text


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml", "x"],
)
async def test_what_is_not_called_json_is_415(facade: Running, content_type: str) -> None:
    status, error = await post(facade, b'{"input":"x"}', content_type)
    assert (status, error["code"]) == (415, "not_json")
    assert "application/json" in error["message"]


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/a+json", None]
)
async def test_json_by_any_of_its_names_is_taken(facade: Running, content_type: str | None) -> None:
    assert (await post(facade, b'{"input":"x"}', content_type))[0] == 202


async def test_a_compressed_body_is_415(facade: Running) -> None:
    answer = await facade.ask("POST", "/v1/runs", data=b"x", headers=JSON | {"Content-Encoding": "gzip"})
    assert (answer.status, answer.code) == (415, "not_json")


async def test_a_body_that_is_too_large_is_413(start_facade: StartFacade) -> None:
    facade = await start_facade(http={"max_body_bytes": 1000})
    answer = await facade.ask("POST", "/v1/runs", data=b'{"input":"%b"}' % (b"x" * 2000), headers=JSON)
    assert (answer.status, answer.code) == (413, "body_too_large")
    body = msgspec.json.encode({"input": "x" * 980})
    assert (await facade.ask("POST", "/v1/runs", data=body, headers=JSON)).status == 202


async def test_an_input_that_no_message_can_hold_is_413(
    start_facade: StartFacade, supervisor: FakeSupervisor
) -> None:
    facade = await start_facade(http={"max_body_bytes": 100_000}, events={"max_message_bytes": 50_000})
    answer = await facade.ask("POST", "/v1/runs", json={"input": "x" * 60_000})
    assert (answer.status, answer.code) == (413, "body_too_large")
    assert not any(isinstance(command, StartRun) for command in supervisor.heard)
    assert (await facade.ask("POST", "/v1/runs", json={"input": "x" * 40_000})).status == 202


async def test_a_body_that_comes_too_slowly_is_408(start_facade: StartFacade) -> None:
    facade = await start_facade(http={"body_timeout_s": 0.1})
    reader, writer = await asyncio.open_connection("127.0.0.1", facade.port)
    writer.write(request_head(b"Content-Length: 100") + b'{"inp')
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"request_timeout"' in answer


@pytest.mark.parametrize("chunks", [b"zz\r\n{}\r\n0\r\n\r\n", b"-1\r\n", b"2\r\n{}}\r\n0\r\n\r\n"])
async def test_malformed_chunks_are_refused(facade: Running, chunks: bytes) -> None:
    answer = await facade.raw(request_head(b"Transfer-Encoding: chunked") + chunks)
    assert answer.startswith(b"HTTP/1.1 400 "), answer


async def test_a_client_that_leaves_in_the_middle_of_its_body_starts_nothing(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", facade.port)
    writer.write(request_head(b"Content-Length: 100") + b'{"input":"x"')
    await writer.drain()
    writer.close()
    assert (await facade.ask("GET", "/health")).status == 200
    assert not supervisor.inputs


def request_head(header: bytes) -> bytes:
    return (
        b"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer "
        + key_of("olga").encode()
        + b"\r\n"
        + header
        + b"\r\n\r\n"
    )


def only_400(problem: Problem) -> None:
    assert problem.kind.status == 400


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from([*StartBody.__struct_fields__, "other"])


@settings(
    max_examples=3 * settings().max_examples, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(st.dictionaries(FIELDS, JSON_VALUES, max_size=6))
def test_any_object_is_an_input_or_a_problem(fields: dict[str, Any]) -> None:
    try:
        body, ignored = bodies.decode(json.dumps(fields).encode(), StartBody)
        run_input, limits = inputs.run_input(body), inputs.limits(body)
    except Problem as problem:
        only_400(problem)
        return
    assert run_input.input
    assert all(limit >= 0 for limit in limits.values())
    assert set(ignored) <= {"other"}


@settings(max_examples=5 * settings().max_examples, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_body_or_a_problem(body: bytes) -> None:
    try:
        bodies.decode(body, StartBody)
    except Problem as problem:
        only_400(problem)

"""What OpenAI's messages and input items mean to an agent."""

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runward.http.errors import Problem
from runward.http.openai_conversation import Conversation, from_items, from_messages
from runward.http.openai_schemas import ChatBody, ResponseBody

SYSTEM = {"role": "system", "content": "be brief"}
HELLO = {"role": "user", "content": "hello"}
ANSWER = {"role": "assistant", "content": "hi"}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "c"}]}
RESULT = {"role": "tool", "content": "42", "tool_call_id": "c"}


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def text(of: str, kind: str = "text") -> dict[str, str]:
    return {"type": kind, "text": of}


@pytest.mark.parametrize(
    ("messages", "understood"),
    [
        ([HELLO], Conversation(None, [], "hello")),
        ([SYSTEM, HELLO], Conversation("be brief", [], "hello")),
        (
            [SYSTEM, HELLO, {"role": "developer", "content": [text("in verse")]}, HELLO],
            Conversation("be brief\n\nin verse", [HELLO], "hello"),
        ),
        ([HELLO, ANSWER, HELLO], Conversation(None, [HELLO, ANSWER], "hello")),
        ([HELLO, CALL, RESULT, HELLO], Conversation(None, [HELLO, CALL, RESULT], "hello")),
        ([user(text("a"), text("b"))], Conversation(None, [], "a\nb")),
        ([{**HELLO, "name": "ann"}, HELLO], Conversation(None, [{**HELLO, "name": "ann"}], "hello")),
        ([{**HELLO, "colour": 1}, HELLO], Conversation(None, [HELLO], "hello")),
        ([HELLO, SYSTEM], Conversation("be brief", [], "hello")),
    ],
)
def test_messages_become_instructions_history_and_input(
    messages: list[dict[str, Any]], understood: Conversation
) -> None:
    assert from_messages(messages) == understood


@pytest.mark.parametrize(
    ("items", "understood"),
    [
        ("hello", Conversation("be kind", [], "hello")),
        ([{"type": "message", **HELLO}], Conversation("be kind", [], "hello")),
        ([SYSTEM, user(text("a", "input_text"))], Conversation("be kind\n\nbe brief", [], "a")),
        (
            [HELLO, {"role": "assistant", "content": [text("hi", "output_text")], "id": "msg_1"}, HELLO],
            Conversation("be kind", [HELLO, ANSWER], "hello"),
        ),
    ],
)
def test_items_are_messages_too(items: Any, understood: Conversation) -> None:
    assert from_items(items, "be kind") == understood


@pytest.mark.parametrize(
    ("messages", "code", "param"),
    [
        (None, "missing_field", "messages"),
        ([], "missing_field", "messages"),
        ([SYSTEM], "invalid_value", "messages"),
        ([HELLO, ANSWER], "invalid_value", "messages"),
        ([{"role": "user", "content": ""}], "invalid_value", "messages"),
        ([{"role": "user"}], "invalid_value", "messages[0].content"),
        ([{"role": "user", "content": 5}], "invalid_value", "messages[0].content"),
        ([{"content": "x"}], "invalid_value", "messages[0].role"),
        ([HELLO, {"role": "robot", "content": "x"}], "invalid_value", "messages[1].role"),
        ([user({"type": "image_url"})], "unsupported_parameter", "messages[0].content[0]"),
        ([user(text("a"), {"type": "input_audio"})], "unsupported_parameter", "messages[0].content[1]"),
        ([user("a")], "unsupported_parameter", "messages[0].content[0]"),
        ([user({"type": "text"})], "invalid_value", "messages[0].content[0].text"),
    ],
)
def test_what_is_wrong_with_messages_is_told_with_its_place(messages: Any, code: str, param: str) -> None:
    with pytest.raises(Problem) as problem:
        from_messages(messages)
    assert (problem.value.code, problem.value.param) == (code, param)


@pytest.mark.parametrize(
    ("items", "code", "param"),
    [
        (None, "missing_field", "input"),
        ("", "missing_field", "input"),
        ([{"type": "function_call_output", "output": "x"}], "unsupported_parameter", "input[0]"),
        ([HELLO, {"type": "item_reference", "id": "x"}], "unsupported_parameter", "input[1]"),
    ],
)
def test_what_is_wrong_with_items_is_told_with_its_place(items: Any, code: str, param: str) -> None:
    with pytest.raises(Problem) as problem:
        from_items(items, None)
    assert (problem.value.code, problem.value.param) == (code, param)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_ROLES = st.sampled_from(["user", "assistant", "system", "tool"]) | _JSON
_PART = (
    st.fixed_dictionaries({}, optional={"type": st.just("text") | _JSON, "text": st.just("a") | _JSON})
    | _JSON
)
_MESSAGE = st.fixed_dictionaries(
    {},
    optional={"role": _ROLES, "content": st.lists(_PART, max_size=3) | _JSON, "type": _JSON, "name": _JSON},
)


@given(st.lists(_MESSAGE, max_size=3))
def test_whatever_is_sent_is_understood_or_refused(messages: list[Any]) -> None:
    sent = msgspec.json.encode({"messages": messages, "input": messages})
    chat, response = msgspec.json.decode(sent, type=ChatBody), msgspec.json.decode(sent, type=ResponseBody)
    assert _understood(partial(from_messages, chat.messages))
    assert _understood(partial(from_items, response.input, None))


def _understood(understand: Callable[[], Conversation]) -> bool:
    """Whether it is, or is refused with the place of what is wrong."""
    try:
        return understand().text != ""
    except Problem as problem:
        return problem.kind.status == 400 and bool(problem.param)

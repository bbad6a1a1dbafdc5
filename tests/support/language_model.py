"""A language model with no mind of its own: an OpenAI-compatible server that does what it is told to.

The last message of the user is the script, or ends with it; a tool's result is answered with `done: ` and the result.

    say WORDS            these words, one in a chunk
    think WORDS          the same as reasoning, then "thought about it"
    call TOOL {JSON}     a call of this tool, which the request must offer
    slow COUNT SECONDS   so many words, a pause before each
    silent               the answer begins, and nothing comes
    error STATUS         this status
"""

import asyncio
import json
import re
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

Json = dict[str, Any]

#: Tokens of each answer, whatever it is: what a request used is a multiple of these.
PROMPT_TOKENS, COMPLETION_TOKENS = 100, 7
_SCRIPT = re.compile(r"\b(say|think|call|slow|silent|error)\b[ ]?(.*)", re.DOTALL)
_RESULTS = ("Observation:", "Error:")  # by which smolagents tells one in a message of the user
_LONGEST_ECHO = 200


class LanguageModel:
    """`url` is what clients call the base URL. `requests` are the bodies that came, in order."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Json] = []
        self.open = 0  # answers that are being given

    @property
    def address(self) -> str:
        """Host and port."""
        return self.url.partition("://")[2].removesuffix("/v1")

    async def complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        deltas = answer_to(body)
        if isinstance(deltas, int):
            return web.json_response({"error": {"message": "scripted error"}}, status=deltas)
        self.open += 1
        try:
            if body.get("stream"):
                return await _stream(request, body, deltas)
            return web.json_response(await _whole(body, deltas))
        finally:
            self.open -= 1


def answer_to(body: Json) -> "AsyncIterator[Json] | int":
    """The deltas of the answer, or the status that is one."""
    last = body["messages"][-1]
    text = _text(last)
    if last["role"] == "tool" or any(told in text for told in _RESULTS):
        return _finish(body, f"done: {text.rpartition('Observation:')[2].strip()[:_LONGEST_ECHO]}")
    found = _SCRIPT.search(text)
    if found is None:
        return _words(f"no script in {text[-_LONGEST_ECHO:]!r}")
    verb, rest = found[1], found[2].strip()
    match verb:
        case "say":
            return _finish(body, rest)
        case "think":
            return _think(rest)
        case "call":
            tool, _, arguments = rest.partition(" ")
            return _call(tool, arguments or "{}")
        case "slow":
            count, pause_s = rest.split()[:2]
            return _slowly(body, int(count), float(pause_s))
        case "silent":
            return _nothing()
        case _:
            return int(rest.split()[0])


def _text(message: Json) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _finish(body: Json, text: str) -> AsyncIterator[Json]:
    """In words; or by the tool that an agent of smolagents must call to answer."""
    if "final_answer" in _offered(body):
        return _call("final_answer", json.dumps({"answer": text}))
    return _words(text)


def _offered(body: Json) -> set[str]:
    return {tool["function"]["name"] for tool in body.get("tools") or ()}


async def _words(text: str) -> AsyncIterator[Json]:
    for word in re.findall(r"\S+\s*", text):
        yield {"content": word}


async def _think(text: str) -> AsyncIterator[Json]:
    async for delta in _words(text):
        yield {"reasoning_content": delta["content"]}
    async for delta in _words("thought about it"):
        yield delta


async def _call(tool: str, arguments: str) -> AsyncIterator[Json]:
    function = {"name": tool, "arguments": arguments}
    yield {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]}


async def _slowly(body: Json, count: int, pause_s: float) -> AsyncIterator[Json]:
    for number in range(count):
        await asyncio.sleep(pause_s)
        yield {"content": f"w{number} "}
    if "final_answer" in _offered(body):
        async for delta in _finish(body, "that was all"):
            yield delta


async def _nothing() -> AsyncIterator[Json]:
    await asyncio.Event().wait()
    yield {}


def _frame(body: Json, choices: list[Json], **more: object) -> Json:
    model = body.get("model", "")
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model} | {
        "choices": choices,
        **more,
    }


def _usage() -> Json:
    total = PROMPT_TOKENS + COMPLETION_TOKENS
    return {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": COMPLETION_TOKENS, "total_tokens": total}


async def _stream(request: web.Request, body: Json, deltas: AsyncIterator[Json]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)

    async def send(frame: Json) -> None:
        await response.write(f"data: {json.dumps(frame)}\n\n".encode())

    ending = "stop"
    await send(_frame(body, [{"index": 0, "delta": {"role": "assistant", "content": ""}}]))
    try:
        async for delta in deltas:
            ending = "tool_calls" if "tool_calls" in delta else "stop"
            await send(_frame(body, [{"index": 0, "delta": delta}]))
        await send(_frame(body, [{"index": 0, "delta": {}, "finish_reason": ending}]))
        await send(_frame(body, [], usage=_usage()))
        await response.write(b"data: [DONE]\n\n")
    except ConnectionError:
        pass  # the client has heard enough
    return response


async def _whole(body: Json, deltas: AsyncIterator[Json]) -> Json:
    message: Json = {"role": "assistant", "content": ""}
    ending = "stop"
    async for delta in deltas:
        message["content"] += delta.get("content", "")
        if "tool_calls" in delta:
            message["tool_calls"], ending = delta["tool_calls"], "tool_calls"
        if thought := delta.get("reasoning_content"):
            message["reasoning_content"] = message.get("reasoning_content", "") + thought
    choice = {"index": 0, "message": message, "finish_reason": ending}
    return _frame(body, [choice], object="chat.completion", usage=_usage())


@contextmanager
def language_model(tls: tuple[Path, Path] | None = None) -> Iterator[LanguageModel]:
    """One on a free port of loopback, in a thread of its own, until the block ends. `tls`: certificate and key."""
    context = None
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
    model = LanguageModel()
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()
    listening = threading.Event()

    async def serve() -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", model.complete)
        # A client that is gone should be seen at once, not at the next chunk.
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
            await site.start()
            host, port = runner.addresses[0][:2]
            model.url = f"{'https' if context else 'http'}://{host}:{port}/v1"
            listening.set()
            await ended.wait()
        finally:
            await runner.cleanup()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run, name="language model")
    thread.start()
    try:
        assert listening.wait(10), "the model did not begin to listen"
        yield model
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()

"""`POST /v1/chat/completions`: a run, answered by its output or streamed as it speaks."""

from aiohttp import web

from ..actors.messages.commands import StartRun
from ..actors.records import RunRecord
from . import bodies, keyed, openai_conversation, openai_parameters, openai_runs, starting
from .context import Call, answer, must_act
from .errors import Problem
from .frames import Slice
from .openai_chat import Chunks, completion, failed
from .openai_runs import Begun
from .openai_schemas import ChatBody
from .openai_text import Said
from .schemas import StartBody


async def create(call: Call) -> web.StreamResponse:
    """200 once the run completed, or at once and its chunks with `stream`."""
    must_act(call.who)
    key = keyed.key_of(call.request)
    sent = await bodies.read(call.request, call.facade.settings.http.body_timeout_s)
    body, ignored = openai_parameters.decode(sent, ChatBody, openai_parameters.CHAT_REFUSED)
    command = _command(call, body, key, keyed.body_hash(sent) if key is not None else b"")
    options = body.stream_options
    if options is not None and not body.stream:
        ignored.append("stream_options")

    async def streamed(begun: Begun) -> web.StreamResponse:
        chunks = _Chunks(begun.record, with_usage=options is not None and bool(options.include_usage))
        return await openai_runs.stream(call, begun, chunks)

    async def whole(begun: Begun) -> web.StreamResponse:
        said = Said()
        record = await openai_runs.ended(call.facade, begun, said)
        try:
            return answer(completion(record, said.end(record)), headers=begun.headers)
        except Problem as problem:
            problem.more_headers = {**problem.more_headers, **begun.headers}
            raise

    return await openai_runs.answered(call, command, ignored, streamed if body.stream else whole)


def _command(call: Call, body: ChatBody, key: str | None, body_hash: bytes) -> StartRun:
    talk = openai_conversation.from_messages(body.messages)
    start = StartBody(
        agent=openai_runs.model_of(body.model),
        input=[*talk.history, {"role": "user", "content": talk.text}],
        instructions=talk.instructions,
        metadata=body.metadata,
    )
    return starting.start_command(call, start, key, body_hash)


class _Chunks:
    def __init__(self, record: RunRecord, *, with_usage: bool) -> None:
        self._chunks = Chunks(record, with_usage=with_usage)
        self._said = Said()

    def begin(self) -> bytes:
        return self._chunks.begin()

    def hear(self, piece: Slice) -> bytes:
        return self._chunks.said(self._said.hear(piece))

    def end(self, record: RunRecord) -> bytes:
        return self._chunks.end(record, self._said.end(record))

    def fail(self, problem: Problem) -> bytes:
        return failed(problem)

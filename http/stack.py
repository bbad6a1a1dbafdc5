"""`GET /v1/runs/{run_id}/stack`: where a live run's agent is in its Python code, also when it hangs."""

from aiohttp import web

from ..actors.messages.answers import Stack
from ..actors.messages.commands import AskStack
from .context import Call
from .link import new_id

# A warden takes 2 s for an agent that says nothing, and a command is sent again half-way: later than that.
TIMEOUT_S = 6.0


async def stack(call: Call) -> web.Response:
    """The stacks of all its threads, as text. 409: the run is not live; 504: its agent does not answer."""
    _, record = call.run()
    asked = AskStack(new_id(), record.run_id, call.who.only_owner)
    answer = await call.facade.link.ask(asked, Stack, TIMEOUT_S)
    return web.Response(text=harmless(answer.text), content_type="text/plain", charset="utf-8")


def harmless(text: str) -> str:
    """The agent's word, for a terminal: what is neither printable nor a line's end or a tab is escaped."""
    return "".join(
        each if each.isprintable() or each in "\n\t" else each.encode("unicode_escape").decode()
        for each in text
    )

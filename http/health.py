"""`GET /health`, the one open route, and `GET /v1/agents`."""

from aiohttp import web

from ..actors.errors import RunwardError
from ..actors.messages import Agents, AskAgents, Ping, Pong
from .context import Call, Facade, answer
from .link import new_id
from .schemas import AgentList, Health

PING_TIMEOUT_S = 1.0


async def health(_request: web.Request, facade: Facade) -> web.Response:
    """200 `ok` if the supervisor answers now, else 503 `down`: never green while it is dead."""
    try:
        await facade.link.ask(Ping(new_id()), Pong, PING_TIMEOUT_S)
    except RunwardError:
        return answer(Health("down"), 503, {"Retry-After": "1"})
    return answer(Health("ok"))


async def agents(call: Call) -> web.Response:
    """Every registered agent, as the supervisor knows it."""
    timeout_s = call.facade.settings.supervision.command_timeout_s
    reply = await call.facade.link.ask(AskAgents(new_id()), Agents, timeout_s)
    return answer(AgentList(data=reply.agents))

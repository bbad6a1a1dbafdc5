"""`GET /health`, the one open route, what it leaves out (`/health/detailed`), and `GET /v1/agents`."""

from aiohttp import web

from .. import __version__
from ..actors.errors import RunwardError
from ..actors.messages.answers import Agents, Pong
from ..actors.messages.commands import AskAgents, Ping
from .context import Call, Facade, answer, must_see_all
from .link import new_id
from .schemas import AgentHealth, AgentList, DetailedHealth, Health, SupervisorHealth

PING_TIMEOUT_S = 1.0


async def health(_request: web.Request, facade: Facade) -> web.Response:
    """200 `ok` if the supervisor answers now, else 503 `down`: never green while it is dead."""
    try:
        await facade.link.ask(Ping(new_id()), Pong, PING_TIMEOUT_S)
    except RunwardError:
        return answer(Health("down"), 503, {"Retry-After": "1"})
    return answer(Health("ok"))


async def detailed(call: Call) -> web.Response:
    """How everything stands, and what holds a run here; for who may see all. 503 while the supervisor is silent."""
    must_see_all(call.who)
    link, report = call.facade.link, call.facade.report
    try:
        pong = await link.ask(Ping(new_id()), Pong, PING_TIMEOUT_S)
        reply = await link.ask(AskAgents(new_id()), Agents, PING_TIMEOUT_S)
    except RunwardError:
        return answer(DetailedHealth("down", __version__, report), 503, {"Retry-After": "1"})
    supervisor = SupervisorHealth(pong.pid, pong.uptime_s, pong.live_runs, pong.queued_runs, pong.held_back)
    agents = [AgentHealth(each.name, each.health, each.live_runs, each.warnings) for each in reply.agents]
    return answer(DetailedHealth("ok", __version__, report, supervisor, agents))


async def agents(call: Call) -> web.Response:
    """Every registered agent, as the supervisor knows it."""
    timeout_s = call.facade.settings.supervision.command_timeout_s
    reply = await call.facade.link.ask(AskAgents(new_id()), Agents, timeout_s)
    return answer(AgentList(data=reply.agents))

"""`GET /v1/models`: the agents, as OpenAI lists models."""

from aiohttp import web

from ..actors.messages.answers import Agents
from ..actors.messages.commands import AskAgents
from .context import Call, answer
from .link import new_id
from .openai_runs import no_such_model
from .openai_schemas import Model, ModelList


async def listing(call: Call) -> web.Response:
    """Every registered agent."""
    return answer(ModelList(data=[Model(id=name) for name in await _names(call)]))


async def show(call: Call) -> web.Response:
    """`GET /v1/models/{model}`: one of them."""
    name = call.request.match_info["model"]
    if name not in await _names(call):
        raise no_such_model(name)
    return answer(Model(id=name))


async def _names(call: Call) -> list[str]:
    timeout_s = call.facade.settings.supervision.command_timeout_s
    reply = await call.facade.link.ask(AskAgents(new_id()), Agents, timeout_s)
    return [agent.name for agent in reply.agents]

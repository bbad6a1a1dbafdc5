"""Which path leads where. The only list of the surface; what is not `known` here is open to everybody."""

from functools import partial

from aiohttp import web

from . import bulk, events, health, listing, logs, runs, session, stack, starting
from .callers import known
from .context import Facade
from .guard import Guard


def application(facade: Facade, guard: Guard) -> web.Application:
    """The application of one facade."""
    app = web.Application(
        middlewares=(guard.middleware,), client_max_size=facade.settings.http.max_body_bytes
    )
    app.on_response_prepare.append(guard.on_prepare)
    with_facade = partial(known, facade)
    app.add_routes([
        web.get("/health", partial(health.health, facade=facade)),
        web.get("/health/detailed", with_facade(health.detailed)),
        web.post("/v1/session", partial(session.begin, facade=facade)),
        web.delete("/v1/session", partial(session.end, facade=facade)),
        web.get("/v1/agents", with_facade(health.agents)),
        web.get("/v1/runs", with_facade(listing.listing)),
        web.post("/v1/runs", with_facade(starting.start)),
        web.post("/v1/runs/stop", with_facade(bulk.stop_all)),
        web.get("/v1/runs/{run_id}", with_facade(runs.show)),
        web.delete("/v1/runs/{run_id}", with_facade(runs.delete)),
        web.get("/v1/runs/{run_id}/events", with_facade(events.events), allow_head=False),
        web.get("/v1/runs/{run_id}/logs", with_facade(logs.logs)),
        web.get("/v1/runs/{run_id}/stack", with_facade(stack.stack)),
        web.post("/v1/runs/{run_id}/stop", with_facade(runs.stop)),
        web.post("/v1/runs/{run_id}/kill", with_facade(runs.kill)),
    ])  # fmt: skip
    return app

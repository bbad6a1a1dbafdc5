"""Which path leads where: the only list of the surface. What is not `open` here asks who it is first.

`/openapi.json` is made from these rows, so a new one says what it takes and gives.
"""

from functools import cache, partial

import msgspec
from aiohttp import web

from . import (
    bulk,
    console,
    events,
    files,
    health,
    keyed,
    listing,
    logs,
    metrics,
    openapi,
    people,
    runs,
    session,
    stack,
    starting,
)
from .callers import known
from .context import Call, Facade
from .guard import Guard
from .openai_routes import ROUTES as OPENAI_ROUTES
from .route import BYTES, EVENT_STREAM, PLAIN_TEXT, Route, delete, get, post
from .schemas import (
    AgentList,
    AllStopping,
    ApprovalBody,
    ApprovalResponse,
    DetailedHealth,
    FileList,
    Health,
    KillBody,
    RunList,
    RunView,
    SessionBody,
    SessionView,
    StartBody,
    Started,
    SteerBody,
    Steered,
    StopAllBody,
    StopBody,
    Stopping,
    WhoAmI,
)

RUN = "/v1/runs/{run_id}"


async def openapi_json(call: Call) -> web.Response:
    """This document."""
    return web.Response(body=_document(call.facade.cookie), content_type="application/json")


ROUTES: tuple[Route, ...] = (
    get("/", console.page, open=True, answers={200: console.HTML, 304: None}),
    get(
        "/console/{name}",
        console.asset,
        open=True,
        answers={200: (console.HTML, console.SCRIPT, console.STYLE, console.IMAGE), 304: None},
        codes=("file_not_found",),
    ),
    get("/health", health.health, open=True, answers={200: Health, 503: Health}),
    get(
        "/health/detailed",
        health.detailed,
        answers={200: DetailedHealth, 503: DetailedHealth},
        codes=("forbidden",),
    ),
    get("/metrics", metrics.metrics, answers={200: metrics.EXPOSITION}, codes=("forbidden",)),
    get("/openapi.json", openapi_json, answers={200: dict}),
    get("/v1/session", session.show, open=True, answers={200: WhoAmI}),
    post(
        "/v1/session",
        session.begin,
        open=True,
        body=SessionBody,
        answers={200: SessionView},
        codes=("invalid_api_key",),
    ),
    delete("/v1/session", session.end, open=True, answers={204: None}),
    get("/v1/agents", health.agents, answers={200: AgentList}),
    get(
        "/v1/runs",
        listing.listing,
        answers={200: (RunList, EVENT_STREAM)},
        parameters=listing.PARAMETERS,
        codes=("invalid_cursor",),
    ),
    post(
        "/v1/runs",
        starting.start,
        body=StartBody,
        required=("input",),
        answers={200: EVENT_STREAM, 202: Started, 204: None},
        parameters=(keyed.KEY, *events.PARAMETERS),
        codes=starting.CODES,
    ),
    post(
        "/v1/runs/stop",
        bulk.stop_all,
        body=StopAllBody,
        answers={200: AllStopping},
        codes=("missing_field", "forbidden"),
    ),
    get(RUN, runs.show, answers={200: RunView}),
    delete(RUN, runs.delete, answers={204: None}, codes=("forbidden", "run_live", "journal_full")),
    get(
        RUN + "/events",
        events.events,
        head=False,
        answers={200: EVENT_STREAM, 204: None},
        parameters=events.PARAMETERS,
    ),
    get(RUN + "/logs", logs.logs, answers={200: PLAIN_TEXT}, parameters=logs.PARAMETERS),
    get(RUN + "/files", files.listing, answers={200: FileList}, codes=("files_not_kept",)),
    get(
        RUN + "/files/{path:.+}",
        files.contents,
        answers={200: BYTES},
        codes=("file_not_found", "file_unreadable"),
    ),
    get(RUN + "/stack", stack.stack, answers={200: PLAIN_TEXT}, codes=("run_not_live", "stack_unavailable")),
    post(
        RUN + "/stop",
        runs.stop,
        body=StopBody,
        answers={200: (Stopping, RunView)},
        codes=("forbidden", "run_ended", "shutting_down"),
    ),
    post(
        RUN + "/kill",
        runs.kill,
        body=KillBody,
        answers={200: (Stopping, RunView)},
        codes=("forbidden", "run_ended", "shutting_down"),
    ),
    post(
        RUN + "/approval",
        people.approve,
        body=ApprovalBody,
        required=("choice",),
        answers={200: ApprovalResponse},
        codes=("forbidden", "invalid_approval_choice", "approval_not_active", "journal_full"),
    ),
    post(
        RUN + "/steer",
        people.steer,
        body=SteerBody,
        answers={200: Steered},
        codes=("forbidden", "missing_field", "steer_not_accepted", "steer_unanswered", "journal_full"),
    ),
    *OPENAI_ROUTES,
)


def application(facade: Facade, guard: Guard) -> web.Application:
    """The application of one facade."""
    outermost = () if facade.traces is None else (facade.traces.middleware,)
    app = web.Application(
        middlewares=(*outermost, guard.middleware), client_max_size=facade.settings.http.max_body_bytes
    )
    app.on_response_prepare.append(guard.on_prepare)
    for route in ROUTES:
        handle = partial(route.handle, facade=facade) if route.open else known(facade, route.handle)
        if route.method == "GET":
            app.router.add_get(route.path, handle, allow_head=route.head)
        else:
            app.router.add_route(route.method, route.path, handle)
    return app


@cache
def _document(cookie: str) -> bytes:
    return msgspec.json.encode(openapi.document(ROUTES, cookie))

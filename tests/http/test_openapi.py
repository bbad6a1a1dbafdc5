"""`/openapi.json`: every route is in it, and it says what the handlers do."""

import re
from types import SimpleNamespace
from typing import cast

import msgspec
import pytest

from runward.config.settings import defaults
from runward.http import openapi, reference
from runward.http.context import Facade
from runward.http.errors import KINDS
from runward.http.figures import FacadeFigures
from runward.http.guard import Guard
from runward.http.route import Route
from runward.http.routes import ROUTES, application
from runward.http.schemas import StartBody

from ..layout.sources import CHECKOUT
from .running_facade import Running

DOCUMENT = openapi.document(ROUTES, "runward_1")
OPERATIONS = {
    (method.upper(), path): operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


async def test_whoever_has_a_key_is_given_it(facade: Running) -> None:
    answer = await facade.ask("GET", "/openapi.json", "eve")
    assert answer.status == 200
    assert answer.json["openapi"].startswith("3.1")
    assert answer.json["paths"] == msgspec.json.decode(msgspec.json.encode(DOCUMENT["paths"]))
    assert (await facade.ask("GET", "/openapi.json", None)).status == 401


def test_every_route_that_is_served_is_described() -> None:
    """If this fails for a route of yours: it is a row of `http/routes.py`, and nothing else makes one."""
    settings = defaults().http
    facade = SimpleNamespace(settings=SimpleNamespace(http=settings), traces=None)
    app = application(cast(Facade, facade), Guard(settings, FacadeFigures(1, 1)))
    served = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource}
    assert {each for each in served if each[0] != "HEAD"} == set(OPERATIONS)


async def test_every_operation_that_is_described_is_served(facade: Running) -> None:
    for method, path in OPERATIONS:
        answer = await facade.ask(method, re.sub(r"{\w+}", "run_none", path))
        assert answer.status not in (405, 500), (method, path)
        assert answer.status != 404 or answer.code != "not_found", (method, path)


def test_no_route_is_there_twice() -> None:
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES) == len(OPERATIONS)


def test_all_references_lead_somewhere() -> None:
    text = msgspec.json.encode(DOCUMENT).decode()
    named = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert named == set(DOCUMENT["components"]["schemas"])


OPEN = {"/", "/console/{name}", "/health", "/v1/session"}


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_an_operation_has_words_and_answers(method: str, path: str) -> None:
    operation = OPERATIONS[method, path]
    assert len(operation["summary"]) > 8
    assert not operation["summary"].startswith("`")
    assert any(status.startswith("2") for status in operation["responses"])
    assert ("security" in operation) == (path in OPEN)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_error_that_a_route_names_exists(route: Route) -> None:
    assert set(route.codes) <= set(KINDS)
    path = re.sub(":[^}]*", "", route.path)  # aiohttp's patterns
    assert "run_id" not in path or "404" in OPERATIONS[route.method, path]["responses"]


def test_a_start_is_described_by_the_struct_that_it_is_decoded_as() -> None:
    body = OPERATIONS["POST", "/v1/runs"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/StartBody", "required": ["input"]}
    fields = DOCUMENT["components"]["schemas"]["StartBody"]["properties"]
    assert set(fields) == set(StartBody.__struct_encode_fields__)


def test_what_is_retried_says_when() -> None:
    for operation in OPERATIONS.values():
        for status in {"429", "507"} & set(operation["responses"]):
            assert "Retry-After" in operation["responses"][status]["headers"]


def test_the_page_that_is_made_from_it_is_up_to_date() -> None:
    """Else: python -m runward.http.reference > docs/http-api.md."""
    assert (CHECKOUT / "docs" / "http-api.md").read_text() == reference.markdown()

"""`GET /openapi.json`: OpenAPI 3.1, made from the rows of `routes.py` and the structs and parameters in them.

Nothing is described here that is not read from where it is used: a field has its type from the struct that a handler
decodes or encodes, a parameter from what reads it, an error its status from `errors.KINDS`, an operation its words
from its handler's docstring.
"""

import inspect
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from .. import __version__
from .errors import KINDS, RETRIED
from .parameters import Parameter
from .route import EVENT_STREAM, Content, Route, Text
from .schemas import ErrorAnswer

Json = dict[str, Any]

JSON = "application/json"
REF = "#/components/schemas/{name}"
VERSION = "3.1.0"

# What any request may be answered, whatever its route: what is hardly HTTP, and a server that can't answer now.
ALWAYS = ("bad_request", "expectation_failed", "headers_too_large", "too_many_connections")
NOT_OPEN = ("wrong_host", "invalid_api_key", "supervisor_unreachable")
CHANGES = ("cross_site_request",)
WITH_BODY = ("invalid_json", "invalid_value", "request_timeout", "body_too_large", "not_json")

_PATH_PARAMETER = re.compile(r"{(\w+)[^}]*}")
_OWN_NAME = re.compile(r"^`[A-Z]+ [^`]*`(, [^:]*)?: ")


def document(routes: Sequence[Route], cookie: str) -> Json:
    """The whole, for routes of a facade whose session cookie has this name."""
    named = [each for route in routes for each in _types(route)]
    schemas, components = msgspec.json.schema_components([ErrorAnswer, *named], ref_template=REF)
    by_type = {id(each): schema for each, schema in zip([ErrorAnswer, *named], schemas, strict=True)}
    paths: dict[str, Json] = defaultdict(dict)
    for route in routes:
        paths[_path(route)][route.method.lower()] = _operation(route, by_type)
    return {
        "openapi": VERSION,
        "info": {"title": "runward", "version": __version__, "summary": "Runs AI agents, and ends them."},
        "servers": [{"url": "/"}],
        "security": [{"key": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": cookie},
            },
        },
    }


def _types(route: Route) -> Iterator[Any]:
    if route.body is not None:
        yield route.body
    yield from (parameter.type for parameter in route.parameters)
    for content in route.answers.values():
        yield from (each for each in _alternatives(content) if not isinstance(each, Text))


def _alternatives(content: Content) -> tuple[Any, ...]:
    if content is None:
        return ()
    return content if isinstance(content, tuple) else (content,)


def _path(route: Route) -> str:
    return _PATH_PARAMETER.sub(r"{\1}", route.path)


def _operation(route: Route, by_type: dict[int, Json]) -> Json:
    summary, description = _words(route)
    operation: Json = {
        "operationId": f"{route.handle.__module__.rpartition('.')[2]}.{route.handle.__name__}",
        "summary": summary,
        "responses": {**_answers(route, by_type), **_errors(route, by_type)},
    }
    if description:
        operation["description"] = description
    if parameters := [*_in_path(route), *(_parameter(each, by_type) for each in route.parameters)]:
        operation["parameters"] = parameters
    if route.body is not None:
        schema = {**by_type[id(route.body)], **({"required": list(route.required)} if route.required else {})}
        operation["requestBody"] = {"required": bool(route.required), "content": {JSON: {"schema": schema}}}
    if route.open:
        operation["security"] = [{}]
    return operation


def _words(route: Route) -> tuple[str, str]:
    """Summary and description, from the handler's docstring; it may begin with its own method and path."""
    text = _OWN_NAME.sub("", inspect.getdoc(route.handle) or "")
    summary, _, description = text.partition("\n")
    return summary[:1].upper() + summary[1:], description.strip()


def _in_path(route: Route) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PATH_PARAMETER.findall(route.path)
    ]


def _parameter(parameter: Parameter[Any], by_type: dict[int, Json]) -> Json:
    return {
        "name": parameter.name,
        "in": parameter.where,
        "description": parameter.must_be[:1].upper() + parameter.must_be[1:] + ".",
        "schema": by_type[id(parameter.type)],
    }


def _answers(route: Route, by_type: dict[int, Json]) -> Json:
    return {str(status): _answer(content, by_type) for status, content in route.answers.items()}


def _answer(content: Content, by_type: dict[int, Json]) -> Json:
    kinds = _alternatives(content)
    texts: Json = {each.media_type: _text(each) for each in kinds if isinstance(each, Text)}
    shapes = [by_type[id(each)] for each in kinds if not isinstance(each, Text)]
    says = [each.says for each in kinds if isinstance(each, Text)] + [_title(shape) for shape in shapes]
    answer: Json = {"description": " Or: ".join(says) or "Nothing more to say."}
    if shapes:
        texts[JSON] = {"schema": shapes[0] if len(shapes) == 1 else {"anyOf": shapes}}
    if texts:
        answer["content"] = texts
    return answer


def _text(content: Text) -> Json:
    """A stream has no schema: what 3.1 has for one is of the whole, and that has no end."""
    return {} if content is EVENT_STREAM else {"schema": {"type": "string"}}


def _title(shape: Json) -> str:
    return str(shape.get("$ref", "JSON")).rpartition("/")[2] + "."


def _errors(route: Route, by_type: dict[int, Json]) -> Json:
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in dict.fromkeys(_codes(route)):
        by_status[KINDS[code].status].append(code)
    return {
        str(status): _error(status, codes, by_type)
        for status, codes in sorted(by_status.items())
        if status not in route.answers
    }


def _codes(route: Route) -> Iterable[str]:
    yield from ALWAYS
    if not route.open:
        yield from NOT_OPEN
    if route.method != "GET":
        yield from CHANGES
    if route.body is not None:
        yield from WITH_BODY
    if route.parameters:
        yield from (each.code for each in route.parameters)
    if "{run_id}" in route.path:
        yield "run_not_found"
    yield from route.codes


def _error(status: int, codes: list[str], by_type: dict[int, Json]) -> Json:
    error: Json = {
        "description": ", ".join(f"`{code}`" for code in codes),
        "content": {JSON: {"schema": by_type[id(ErrorAnswer)]}},
    }
    if status in RETRIED:
        error["headers"] = {
            "Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}
        }
    return error

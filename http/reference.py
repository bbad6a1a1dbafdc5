"""Writes docs/http-api.md: `python -m runward.http.reference > docs/http-api.md`. A test compares them.

The same as `/openapi.json` (`openapi.py`), for people: one section for each operation, one table for each struct.
"""

import sys
from collections.abc import Iterator
from typing import Any

from . import openapi
from .errors import KINDS
from .routes import ROUTES

Json = dict[str, Any]

HEAD = """# The HTTP surface

*Made from the routes, as `/openapi.json` is.* What needs more words is in [runs-api.md](runs-api.md),
[events.md](events.md) and [openai.md](openai.md).

A key goes into `Authorization: Bearer KEY`; what needs none says so. Every answer has an `X-Request-Id`, every error
the body [ErrorAnswer](#erroranswer). Not listed below is what any request may be answered:

"""
_ANYWHERE = ("method_not_allowed", *openapi.ALWAYS, *openapi.NOT_OPEN)


def markdown() -> str:
    """The whole page."""
    document = openapi.document(ROUTES, "runward_PORT")
    anywhere = [f"- `{KINDS[code].status}`: `{code}`" for code in _ANYWHERE]
    parts = [HEAD + "\n".join(sorted(anywhere)) + "\n"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parts.append("\n".join(_operation(f"{method.upper()} {path}", operation)))
    parts.append("## Bodies\n")
    for name, schema in sorted(document["components"]["schemas"].items()):
        parts.append("\n".join(_schema(name, schema)))
    return "\n".join(parts)


def _operation(title: str, operation: Json) -> Iterator[str]:
    yield f"## `{title}`\n"
    yield _plain(operation["summary"]) + (" Needs no key." if "security" in operation else "")
    if "description" in operation:
        yield "\n" + _plain(operation["description"])
    for parameter in operation.get("parameters", []):
        if parameter["in"] != "path":
            kind = "header" if parameter["in"] == "header" else "query"
            yield f"- {kind} `{parameter['name']}`: {_plain(parameter['description'])}"
    if "requestBody" in operation:
        (content,) = operation["requestBody"]["content"].values()
        needed = content["schema"].get("required", [])
        must = f"; it must have {', '.join(f'`{name}`' for name in needed)}" if needed else ""
        yield f"- body: {_kind(content['schema'])}{must}"
    for status, answer in sorted(operation["responses"].items()):
        if told := _answer(answer):
            yield f"- `{status}`: {told}"
    yield ""


def _answer(answer: Json) -> str:
    kinds = [
        _kind(content["schema"]) if media == openapi.JSON else f"`{media}`"
        for media, content in answer.get("content", {}).items()
    ]
    if answer["description"].startswith("`"):  # an error: its codes
        codes = answer["description"].split(", ")
        return ", ".join(code for code in codes if code.strip("`") not in _ANYWHERE)
    return " or ".join(kinds) or "no body"


def _schema(name: str, schema: Json) -> Iterator[str]:
    yield f"### {name}\n"
    if "enum" in schema:
        yield "One of " + ", ".join(f"`{value}`" for value in schema["enum"]) + ".\n"
        return
    if "description" in schema:
        yield _plain(schema["description"]) + "\n"
    needed = schema.get("required", [])
    if schema.get("properties"):
        yield "| field | | |\n|---|---|---|"
        for field, kind in schema["properties"].items():
            yield f"| `{field}` | {_kind(kind)} | {'' if field in needed else 'may be absent'} |"
    yield ""


def _kind(schema: Json) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"map to {_kind(schema['additionalProperties'])}"
    return str(kind)


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(markdown())

"""What a client wants to be answered in (RFC 9110, 12.5.1)."""

from aiohttp import web

STREAM = "text/event-stream"


def wants_stream(request: web.Request) -> bool:
    """Whether it names the event stream, and JSON not at all or as less welcome."""
    weights = dict(_weighed(",".join(request.headers.getall("Accept", []))))
    return weights.get(STREAM, 0.0) > weights.get("application/json", 0.0)


def _weighed(accept: str) -> list[tuple[str, float]]:
    return [_weigh(part) for part in accept.split(",")]


def _weigh(part: str) -> tuple[str, float]:
    kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
    weight = next((text[2:] for text in parameters if text.startswith("q=")), "1")
    try:
        return kind, float(weight)
    except ValueError:
        return kind, 0.0

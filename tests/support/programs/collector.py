"""An OTLP collector: writes what comes to a file, a JSON line for each request. For a Python with the extra `otel`.

collector.py FILE: says its port on stdout, then serves until its stdin ends.
"""

import asyncio
import json
import sys

from aiohttp import web
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


async def take(request: web.Request) -> web.Response:
    body = await request.read()
    told = ExportTraceServiceRequest.FromString(body)
    line = {
        "path": request.path,
        "headers": {name.lower(): text for name, text in request.headers.items()},
        "raw": body.hex(),
        "told": MessageToDict(told),
    }
    _note(json.dumps(line))
    return web.Response(
        body=ExportTraceServiceResponse().SerializeToString(), content_type="application/x-protobuf"
    )


def _note(line: str) -> None:
    with open(sys.argv[1], "a") as file:
        file.write(f"{line}\n")


async def main() -> None:
    app = web.Application()
    app.router.add_post("/v1/traces", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


asyncio.run(main())

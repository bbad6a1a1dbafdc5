"""hermes-control-mcp as its users start it: a client of hermes' `/v1/runs`, which is not ours.

It speaks to the server whose URL is the first argument, with the key in API_SERVER_KEY, and remembers its runs in the
second, a folder. On stdin: a JSON list of its tools, each with its arguments. On stdout: a line of JSON for each.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from mcp import Client, StdioServerParameters


async def call_all(url: str, folder: str) -> None:
    client = StdioServerParameters(
        command=str(Path(sys.executable).with_name("hermes-control-mcp")),
        args=["serve", "--api-url", url, "--state-db", f"{folder}/bridge.db"],
        env=dict(os.environ),
    )
    async with Client(client) as tools:
        for tool, arguments in json.load(sys.stdin):
            answer = await tools.call_tool(tool, arguments)
            sys.stdout.write(f"{answer.content[0].text}\n")


asyncio.run(call_all(*sys.argv[1:]))

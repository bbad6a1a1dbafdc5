"""A conversation agent, in the shape that hermes-agent's have, which writes down how it is interrupted."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Talker:
    """Told "wait" it says `ready` and waits to be interrupted; told anything else it answers with a tool's help."""

    session_prompt_tokens = 3
    session_completion_tokens = 5
    session_total_tokens = 8

    def __init__(
        self,
        stream_delta_callback: Callable[[str | None], None],
        tool_progress_callback: Callable[..., None],
        session_id: str,
        ephemeral_system_prompt: str | None = None,
        record: str = "",
        raises: bool = False,
    ) -> None:
        """`record`: a file that gets a line for each call of `interrupt`. `raises`: that call then fails."""
        self._say = stream_delta_callback
        self._progress = tool_progress_callback
        self._session_id = session_id
        self._instructions = ephemeral_system_prompt
        self._record = record
        self._raises = raises
        self._interrupted = threading.Event()

    def interrupt(self, message: str) -> None:
        with Path(self._record).open("a") as file:
            file.write(f"{message}\n")
        self._interrupted.set()
        if self._raises:
            raise RuntimeError("interrupt does not work today")

    def run_conversation(
        self, user_message: str, conversation_history: list[dict[str, Any]], task_id: str
    ) -> dict[str, Any]:
        if user_message == "wait":
            self._say("ready")
            self._interrupted.wait()
            return {"final_response": "broken off", "interrupted": True}
        return self._answer(user_message, conversation_history, task_id)

    def _answer(self, message: str, history: list[dict[str, Any]], task_id: str) -> dict[str, Any]:
        self._say("Let me ")
        self._say("look.")
        self._say(None)
        self._progress("tool.started", "search", "what is asked")
        self._progress("tool.completed", "search", None, None, duration=0.25, is_error=False)
        self._progress("reasoning.available", "_thinking", "It is known.", None)
        self._say(f"{len(history)} before: {message}")
        told = {"session": self._session_id, "instructions": self._instructions, "task": task_id}
        return {"final_response": f"{message}!", "told": told, "completed": True}

"""A conversation agent that says and does what hermes-agent 0.19.0 did when its event streams were written down."""

import threading
from collections.abc import Callable
from typing import Any

from runward import current_run

Result = dict[str, Any]
VICTIM, PATTERN = "rm -rf /tmp/x/victim", "delete in root path"
APPROVED = (
    '{"output": "", "exit_code": 0, "error": null, "approval": "Command required approval '
    '(delete in root path) and was approved by the user."}'
)
DENIED = (
    '{"output": "", "exit_code": -1, "error": "BLOCKED: Command denied by user. The user has NOT consented to this '
    "action. Do NOT retry this command, do NOT rephrase it, and do NOT attempt the same outcome"
)
TOOL_SAID = '{"output": "hi", "exit_code": 0, "error": null}'


class Scripted:
    """Each input names a script. Calls its callbacks as that agent calls them."""

    session_prompt_tokens = 0
    session_completion_tokens = 0
    session_total_tokens = 0

    def __init__(
        self, stream_delta_callback: Callable[..., None], tool_progress_callback: Callable[..., None]
    ) -> None:
        self._say = stream_delta_callback
        self._progress = tool_progress_callback
        self._interrupted = threading.Event()

    def interrupt(self, _message: str) -> None:
        self._interrupted.set()

    def run_conversation(self, user_message: str) -> Result:
        scripts = {
            "text please": self._text,
            "reason why": self._reason,
            "tool echo hi": self._tool,
            "slow 100 0.3": self._slow,
            "toolhang": self._tool_that_hangs,
            "error 401": self._error,
            "danger": self._tool_that_wants_a_person,
        }
        return scripts[user_message]()

    def _text(self) -> Result:
        return self._spoken("Hello", ", ", "this is ", "plain text.", tokens=(100, 7, 107))

    def _reason(self) -> Result:
        return self._spoken("The answer", " is 42.", tokens=(101, 7, 108))

    def _spoken(self, *deltas: str, tokens: tuple[int, int, int]) -> Result:
        for delta in deltas:
            self._say(delta)
        self._thought("".join(deltas))
        self._count(*tokens)
        return {"final_response": "".join(deltas), "completed": True}

    def _tool(self) -> Result:
        self._say("I will run it. ")
        self._say(None)
        self._thought("I will run it.")
        self._progress("tool.started", "terminal", "echo hi", {"command": "echo hi"})
        self._progress("tool.completed", "terminal", None, None, duration=0.25, is_error=False)
        self._say("\n\nDone: ")
        self._say(TOOL_SAID)
        self._thought(f"Done: {TOOL_SAID}")
        self._count(205, 14, 219)
        return {"final_response": f"Done: {TOOL_SAID}", "completed": True}

    def _slow(self) -> Result:
        for number in range(9):
            self._say(f"w{number} ")
        self._interrupted.wait()
        return {"final_response": "w0", "interrupted": True}

    def _tool_that_hangs(self) -> Result:
        self._progress("tool.started", "terminal", "sleep 300", {"command": "sleep 300"})
        self._interrupted.wait()
        self._progress("tool.completed", "terminal", None, None, duration=0.25, is_error=True)
        return {"final_response": None, "interrupted": True}

    def _tool_that_wants_a_person(self) -> Result:
        self._progress("tool.started", "terminal", VICTIM, {"command": VICTIM})
        chosen = current_run().approve(
            "May I?",
            command=VICTIM,
            pattern_key=PATTERN,
            pattern_keys=[PATTERN],
            description=PATTERN,
            allow_permanent=True,
        )
        denied = chosen == "deny"
        self._progress("tool.completed", "terminal", None, None, duration=0.25, is_error=denied)
        said = f"Done: {DENIED if denied else APPROVED}"
        self._say("\n\nDone: ")
        self._say(said.removeprefix("Done: "))
        self._thought(said)
        self._count(*((219, 14, 233) if denied else (215, 14, 229)))
        return {"final_response": said, "completed": True}

    def _error(self) -> Result:
        return {"final_response": None, "failed": True, "error": "HTTP 401: scripted error"}

    def _thought(self, text: str) -> None:
        self._progress("reasoning.available", "_thinking", text, None)

    def _count(self, spent: int, made: int, total: int) -> None:
        self.session_prompt_tokens, self.session_completion_tokens = spent, made
        self.session_total_tokens = total

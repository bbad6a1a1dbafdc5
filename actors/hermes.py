"""hermes-agent's `AIAgent`, unmodified, as a conversation agent: its home, its settings, and whom it asks.

    [agents.hermes]
    entrypoint = "runward.actors.hermes:Agent"

It reads where its home is when it is imported, so a run imports it: in its own work folder, which goes with it.
"""

import atexit
import json
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from queue import SimpleQueue
from typing import Any

from .interruption import Interrupted
from .run import Run, current_run

#: Each spares a run something that was measured: probes of the model's server, subprocesses, downloads.
SETTINGS: Mapping[str, Any] = {
    "model": {"context_length": 131_072, "ollama_num_ctx": 131_072},
    "agent": {"environment_probe": False},
    # It waits for as long as the runtime does, which knows until when people may answer.
    "approvals": {"mode": "manual", "timeout": 10**9},
    "security": {"tirith_enabled": False, "allow_lazy_installs": False},
    "memory": {"memory_enabled": False, "user_profile_enabled": False},
}
_CHOICES = ("once", "session", "always", "deny")
_NO_MODEL = (
    'hermes needs a model: options = {{ base_url = "http://…/v1", api_key = "…" }}, or OPENAI_BASE_URL and '
    "OPENAI_API_KEY in env; {} is missing"
)


class Agent:
    """One agent. It has the shape of every conversation; `interrupt` and `steer` are for any thread."""

    def __init__(
        self,
        stream_delta_callback: Callable[..., None] | None = None,
        tool_progress_callback: Callable[..., None] | None = None,
        session_id: str | None = None,
        ephemeral_system_prompt: str | None = None,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        model: str = "",
        enabled_toolsets: Iterable[str] = ("terminal", "file"),
        settings: Mapping[str, Any] = SETTINGS,
        **more: Any,
    ) -> None:
        """Build it, which imports it: a second.

        `settings` are its config.yaml. `more` are other arguments of `AIAgent`. Raises ModuleNotFoundError where
        hermes-agent is not installed, ValueError without a model, and what `AIAgent` raises.
        """
        run = current_run()
        where = {
            "base_url": base_url or os.environ.get("OPENAI_BASE_URL"),
            "api_key": api_key or os.environ.get("OPENAI_API_KEY"),
        }
        if missing := [name for name, given in where.items() if not given]:
            raise ValueError(_NO_MODEL.format(" and ".join(missing)))
        _settle(run, settings)
        from run_agent import AIAgent
        from tools import approval

        self._questions = _Questions(run, approval)
        self._agent = AIAgent(
            **{
                **where,
                "model": model,
                "api_mode": "chat_completions",  # else the name of the model decides
                "enabled_toolsets": list(enabled_toolsets),  # None would be all, installed while it is built
                "quiet_mode": True,
                "skip_memory": True,
                "skip_context_files": True,
                "platform": "api_server",
                "tool_delay": 0,
                "session_id": session_id or run.run_id,
                "ephemeral_system_prompt": ephemeral_system_prompt,
                "stream_delta_callback": stream_delta_callback,
                "tool_progress_callback": tool_progress_callback,
                "reasoning_callback": lambda text=None, *_: _on_reasoning(run, text),
                **more,
            }
        )

    def run_conversation(
        self, user_message: str, conversation_history: list[dict[str, Any]], task_id: str
    ) -> dict[str, Any]:
        """Answer; its own account of that."""
        with self._questions:
            try:
                result: dict[str, Any] = self._agent.run_conversation(
                    user_message=user_message, conversation_history=conversation_history, task_id=task_id
                )
            finally:
                _leave_nothing_to_wait_for()
        return result

    def interrupt(self, message: str) -> None:
        """End what it does; returns at once."""
        self._agent.interrupt(message)

    def steer(self, text: str) -> bool:
        """Tell it something in the middle of its work; whether it took it."""
        return bool(self._agent.steer(text))

    @property
    def session_prompt_tokens(self) -> int:
        """So far, those from a cache included; live, as the other two."""
        return int(self._agent.session_prompt_tokens)

    @property
    def session_completion_tokens(self) -> int:
        """So far."""
        return int(self._agent.session_completion_tokens)

    @property
    def session_total_tokens(self) -> int:
        """Both."""
        return int(self._agent.session_total_tokens)


def _settle(run: Run, settings: Mapping[str, Any]) -> None:
    """Give it a home of its own, before it is imported."""
    home = os.path.join(run.work_folder, ".hermes")
    os.makedirs(home, mode=0o700, exist_ok=True)
    with open(os.path.join(home, "config.yaml"), "w") as file:
        json.dump(settings, file)  # JSON is YAML
    os.environ.update(
        {
            "HERMES_HOME": home,
            "HERMES_DISABLE_LAZY_INSTALLS": "1",
            # Without these two it takes itself to be alone, and approves of everything by itself.
            "HERMES_SESSION_PLATFORM": "api_server",
            "HERMES_SESSION_KEY": run.run_id,
        }
    )


def _on_reasoning(run: Run, text: str | None) -> None:
    if text:
        run.emit("reasoning.delta", delta=text)


class _Questions:
    """What it asks before it does something dangerous, put to people one after another."""

    def __init__(self, run: Run, approval: Any) -> None:
        self._run = run
        self._approval = approval
        self._asked: SimpleQueue[dict[str, Any]] = SimpleQueue()

    def __enter__(self) -> None:
        """From here on it asks."""
        threading.Thread(target=self._answer_all, name="approvals", daemon=True).start()
        # What is registered must return at once: it is told, and waits by itself for the answer.
        self._approval.register_gateway_notify(self._run.run_id, self._asked.put)

    def __exit__(self, *_: object) -> None:
        self._approval.unregister_gateway_notify(self._run.run_id)

    def _answer_all(self) -> None:
        """In the order in which it asked, which is the order in which it takes answers."""
        while True:
            asked = dict(self._asked.get())
            choice, note = self._choice(asked)
            self._approval.resolve_gateway_approval(self._run.run_id, choice, reason=note)

    def _choice(self, asked: dict[str, Any]) -> tuple[str, str | None]:
        permanent = asked.get("allow_permanent", True)
        choices = [each for each in _CHOICES if permanent or each != "always"]
        fields = {name: each for name, each in asked.items() if name not in ("prompt", "choices")}
        prompt = f"{asked.get('description') or 'dangerous command'}: {asked.get('command') or ''}"
        try:
            chosen = self._run.approve(prompt, choices=choices, **fields)
        except Interrupted:
            return "deny", "the run is being stopped"
        except ValueError as error:  # a command too long to be shown to anybody
            return "deny", str(error)
        return str(chosen), "nobody answered in time" if chosen.timed_out else chosen.note


def _leave_nothing_to_wait_for() -> None:
    """Its exit handlers join a thread that sleeps by the second: the end of the process is the end of that too."""
    try:
        from tools import terminal_tool
    except ImportError:
        return
    atexit.unregister(terminal_tool._atexit_cleanup)

"""What people allow the tools of a framework's agent: its questions in its words, their answers for that run."""

from typing import Any

from ..run import Choice, Run
from .narration import plain, preview

_FOR_GOOD = ("session", "always")


class Approvals:
    """Of one run. A tool that people allowed for the session, or always, is not asked about again."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._allowed: dict[str, Choice] = {}

    async def of_call(self, tool: str, arguments: Any) -> Choice:
        """Whether this call may be made; its `note` says why not. Raises Interrupted when the run is to end."""
        if tool in self._allowed:
            return self._allowed[tool]
        prompt = f"{tool}: {preview(arguments)}"
        choice = await self._asked(prompt, tool=tool, arguments=plain(arguments))
        if choice in _FOR_GOOD:
            self._allowed[tool] = choice
        return choice

    async def of(self, question: Any) -> Choice:
        """Whether to go on; `question` is text, or any JSON. It allows nothing but this."""
        return await self._asked(preview(question), choices=("once", "deny"), question=plain(question))

    async def _asked(self, prompt: str, **more: Any) -> Choice:
        try:
            choice = await self._run.approve_async(prompt, **more)
        except (TypeError, ValueError) as error:  # more than anybody can be shown
            return Choice("deny", str(error))
        return Choice("deny", "nobody answered in time", True) if choice.timed_out else choice

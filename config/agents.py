"""The agents that come with the server, as the specs that a config file could have held."""

from collections.abc import Iterable

from .sections import AgentSpec, Limits

BUILTIN = {
    "echo": ("runward.actors.builtin:echo", "answers with its input"),
    "count": ("runward.actors.builtin:count", "counts, one message after another"),
    "crash": ("runward.actors.builtin:crash", "dies in the way its input names"),
    "spin": ("runward.actors.builtin:spin", "burns a CPU and ignores every request to stop"),
    "hog": ("runward.actors.builtin:hog", "takes memory until something stops it"),
    "smollm": ("runward.actors.smollm:SmolLM", "a small language model that runs on this machine"),
}


def builtin_specs(names: Iterable[str], limits: Limits) -> dict[str, AgentSpec]:
    """The specs of the built-in agents with these names, under these limits."""
    return {name: _spec(name, limits) for name in names}


def _spec(name: str, limits: Limits) -> AgentSpec:
    entrypoint, description = BUILTIN[name]
    # Ours may be imported before the fork: it is trusted as the zygote itself is. (The model's library is not ours.)
    preload = () if name == "smollm" else (entrypoint.partition(":")[0],)
    return AgentSpec(
        name=name, entrypoint=entrypoint, description=description, limits=limits, preload=preload
    )

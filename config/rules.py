"""What no single key can tell: rules between keys, over settings whose every key is right by itself.

A rule is a function from settings to complaints. It is not asked when a key that it reads was already
refused, so that one mistake is reported once.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from ipaddress import ip_address

from . import allowed_hosts
from .agents import BUILTIN
from .errors import Problem
from .sections import AgentSpec, Settings

TRACES_PACKAGE = "opentelemetry-exporter-otlp-proto-http"  # what the extra `otel` brings, besides the SDK

Complaint = tuple[str, str]  # key, message
Rule = Callable[[Settings], Iterable[Complaint]]
Reads = tuple[str, ...]  # the keys, or whole sections, that a rule looks at


def problems(settings: Settings, refused: Iterable[Problem]) -> list[Problem]:
    """The rules that these settings break."""
    bad_keys = [problem.key for problem in refused]
    found = [
        complaint
        for reads, rule in [*RULES, *_agent_rules(settings)]
        if not any(_touches(key, read) for key in bad_keys for read in reads)
        for complaint in rule(settings)
    ]
    return [Problem(_source(settings, key), key, message) for key, message in found]


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to a server that listens on `host`."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _touches(bad: str, read: str) -> bool:
    # "" is a source that could not be read at all: whatever it held is missing.
    return not bad or bad == read or bad.startswith((f"{read}.", f"{read}[")) or read.startswith(f"{bad}.")


def _source(settings: Settings, key: str) -> str:
    owners = (source for name, source in settings.origins.items() if _touches(key, name))
    return next(owners, "default")


def _open_server_is_local(settings: Settings) -> Iterator[Complaint]:
    if settings.auth.mode == "none" and not is_loopback(settings.http.host):
        yield (
            "auth.mode",
            f'is "none", which is refused where others can connect (http.host is "{settings.http.host}"); '
            'use "key", or listen on 127.0.0.1',
        )


def _keys_are_distinct(settings: Settings) -> Iterator[Complaint]:
    names = Counter(key.name for key in settings.auth.keys)
    hashes = Counter(key.hash for key in settings.auth.keys)
    for index, key in enumerate(settings.auth.keys):
        if names[key.name] > 1:
            yield f"auth.keys[{index}].name", f'"{key.name}" is used more than once'
        if hashes[key.hash] > 1:
            yield f"auth.keys[{index}].hash", "is used more than once: who asks could not be told"


def _messages_hold_a_batch(settings: Settings) -> Iterator[Complaint]:
    events = settings.events
    # A batch is closed once it is over max_batch_bytes, so its last event may stand out by max_event_bytes.
    # The last word holds the output, of the size of an event, and the end of stderr.
    largest = events.max_event_bytes + max(events.max_batch_bytes, events.stderr_tail_bytes + 1024)
    if events.max_message_bytes <= largest:
        yield (
            "events.max_message_bytes",
            f"must be above {largest} (max_event_bytes + max_batch_bytes), not {events.max_message_bytes}",
        )


def _users_for_all(settings: Settings) -> Iterator[Complaint]:
    pool, most = settings.containment.uid_pool, settings.runs.max_live
    if not pool:
        return
    if any(spec.spawn for spec in settings.agents.values()):
        most *= settings.runs.max_tree_depth  # of a run's children one needs no slot
    first, last = (int(uid) for uid in pool.split("-"))
    if last - first < most:  # the first is that of proxies
        yield (
            "containment.uid_pool",
            f"has fewer ids than runs may be live ({most}, by runs.max_live and max_tree_depth) and one more: {pool}",
        )
    if last >= 2**32 - 1:
        yield "containment.uid_pool", f"goes beyond the last user id, 4294967294: {pool}"


def _default_agent_exists(settings: Settings) -> Iterator[Complaint]:
    name = settings.runs.default_agent
    if name not in settings.agents:
        declared = ", ".join(settings.agents) or "none"
        yield "runs.default_agent", f'names an agent that is not declared: "{name}" (declared: {declared})'


def _spawns_are_sound(settings: Settings) -> Iterator[Complaint]:
    """Whom an agent spawns is there; and none waits for a slot that it holds itself, by way of those below it."""
    for name, spec in settings.agents.items():
        for unknown in sorted(set(spec.spawn) - set(settings.agents)):
            declared = ", ".join(settings.agents)
            yield (
                f"agents.{name}.spawn",
                f'names an agent that is not declared: "{unknown}" (declared: {declared})',
            )
        if spec.max_concurrent and name in _spawned_below(name, settings):
            yield (
                f"agents.{name}.max_concurrent",
                "is refused for an agent that can be spawned below itself: its runs would wait for each other; "
                "bound those of the agent that comes first",
            )


def _spawned_below(name: str, settings: Settings) -> set[str]:
    found: set[str] = set()
    new = set(settings.agents[name].spawn)
    while new:
        found |= new
        new = {
            below for each in new if each in settings.agents for below in settings.agents[each].spawn
        } - found
    return found


def _traces_can_be_sent(settings: Settings) -> Iterator[Complaint]:
    if not settings.telemetry.traces:
        return
    from importlib.metadata import PackageNotFoundError, version  # imported late: few ask for it

    try:
        version(TRACES_PACKAGE)
    except PackageNotFoundError:
        yield "telemetry.traces", 'needs the extra "otel": pip install "runward[otel]"; or say false'


def _agent_rules(settings: Settings) -> Iterator[tuple[Reads, Rule]]:
    for name in settings.agents:
        yield (f"agents.{name}",), partial(_agent_is_sound, name)


def _agent_is_sound(name: str, settings: Settings) -> Iterator[Complaint]:
    for message in _agent_complaints(settings.agents[name]):
        yield f"agents.{name}", message


def _agent_complaints(spec: AgentSpec) -> Iterator[str]:
    if spec.entrypoint and spec.command:
        yield "has both an entrypoint and a command; keep one"
    if spec.callable and (spec.entrypoint or spec.command):
        yield "is a callable of the process that embeds this server, and so has neither entrypoint nor command"
    if not spec.entrypoint and not spec.command and not spec.callable:
        more = "; declaring a built-in agent replaces all of it" if spec.name in BUILTIN else ""
        yield f"has neither an entrypoint nor a command{more}"
    if spec.command and not spec.command[0]:
        yield "has a command whose program is empty"
    if spec.command and spec.preload:
        yield "has preload, which only an entrypoint can use, and a command"
    if spec.network == "proxy" and not spec.allow_hosts:
        yield 'has network "proxy" and no allow_hosts, so it could reach nothing; list them or say "none"'
    if spec.network != "proxy" and spec.allow_hosts:
        yield f'has allow_hosts, which only network "proxy" heeds; its network is "{spec.network}"'
    for entry in spec.allow_hosts:
        try:
            allowed_hosts.parse(entry)
        except ValueError as wrong:
            yield f"has allow_hosts, of which one {wrong}"


RULES: list[tuple[Reads, Rule]] = [
    (("auth.mode", "http.host"), _open_server_is_local),
    (("auth.keys",), _keys_are_distinct),
    (("events",), _messages_hold_a_batch),
    (("containment.uid_pool", "runs", "agents"), _users_for_all),
    (("runs", "agents"), _default_agent_exists),
    (("agents",), _spawns_are_sound),
    (("telemetry.traces",), _traces_can_be_sent),
]

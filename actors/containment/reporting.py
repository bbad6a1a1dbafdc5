"""Makes the report of what was found. Pure."""

from ...config.sections import AgentSpec
from . import walls
from .advice import advice
from .findings import Found
from .holders import holders
from .probe import lacking_wall, refusal, unmet
from .report import HeldReport, MechanismReport, Report, RungReport
from .rungs import LEVELS, RUNGS
from .throwaway import why

_PROMISES = {
    "K4": "nothing of a run outlives its stop, whatever it does: the kernel kills its cgroup as one, and ends its pid"
    " namespace with its warden",
    "K3": "nothing of a run outlives its stop, whatever it does: the kernel ends its pid namespace with its warden",
    "K2": "nothing of a run outlives its stop: all that is of the run's own user is killed",
    "K1": "nothing of a run outlives its stop: all below its warden is killed, and the run can't reach its warden",
    "K1-": "certain against crashes and runaways, not against malice: all below its warden is killed, but code that"
    " means harm could kill its warden first",
    "K0": "none: the run's process group is killed, and what left it lives on",
}


def report(found: Found, required: tuple[str, ...] = ()) -> Report:
    """Of a machine, and of what the settings require of it."""
    rung = RUNGS[found.rung]
    return Report(
        kill=rung.level,
        proof=rung.proof,
        promise=_PROMISES[rung.level],
        rungs=_rungs(found),
        limits=_limits(found),
        walls=_walls(found),
        mechanisms=[
            MechanismReport(
                name, each.works, each.took_ms, None if each.works else why(each), _detail(each.detail)
            )
            for name, each in found.tried.items()
        ],
        advice=advice(found),
        unmet=unmet(found, required),
        surroundings=found.surroundings,
    )


def _detail(text: str) -> str | None:
    return text or None


def _rungs(found: Found) -> list[RungReport]:
    best_first = sorted(RUNGS.values(), key=lambda rung: -LEVELS.index(rung.level))
    refusals = ((rung, refusal(found, rung) or lacking_wall(found, rung)) for rung in best_first)
    return [RungReport(rung.level, rung.name, rung.title, no is None, no) for rung, no in refusals]


def _limits(found: Found) -> list[HeldReport]:
    held = holders(found, walls.UID in found.walls_held)
    named = list(dict.fromkeys([*held.limits, *held.gaps]))
    limits = [HeldReport(name, held.limits.get(name), held.gaps.get(name)) for name in sorted(named)]
    weight = HeldReport("cpu_weight", held.everywhere.get("cpu_weight"), next(iter(held.missing), None))
    return [*limits, weight]


def _walls(found: Found) -> list[HeldReport]:
    """Those of an agent that declares nothing away; then the walls that could not be had."""
    held = walls.held(found.walls_held, AgentSpec())
    refused = {name: each for name, each in found.walls.items() if not each.works}
    return [
        *(HeldReport(axis, by) for axis, by in held.items()),
        *(HeldReport(f"wall {name}", None, why(each)) for name, each in refused.items()),
    ]

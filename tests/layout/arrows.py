"""Holds modules against rules. Knows neither the package's modules nor its rules: both are arguments.

Every function yields one readable sentence for each breach.
"""

from collections.abc import Iterator, Mapping, Set
from graphlib import CycleError, TopologicalSorter

from .sources import Module

Modules = Mapping[str, Module]
Rules = Mapping[str, Set[str]]


def covers(name: str, module: str) -> bool:
    """Whether `name` is the module or a folder that it is in."""
    return module == name or module.startswith(f"{name}.")


def covered(module: str, names: Set[str]) -> bool:
    return any(covers(name, module) for name in names)


def rule_for(module: str, rules: Rules) -> str | None:
    """The most particular name in the rules that covers the module."""
    return max((name for name in rules if covers(name, module)), key=len, default=None)


def forbidden_imports(modules: Modules, may_import: Rules) -> Iterator[str]:
    for module in modules.values():
        rule = rule_for(module.name, may_import)
        if rule is None:
            yield f"no rule says what {module.name} may import"
            continue
        for target in sorted(module.ours):
            if not covered(target, may_import[rule]):
                yield f"{module.name} imports {target}; {rule} may not"


def forbidden_reach(modules: Modules, must_not_reach: Rules) -> Iterator[str]:
    for start, targets in must_not_reach.items():
        for way in ways(start, modules):
            if covered(way[-1], targets):
                yield f"{start} reaches {way[-1]}: {' -> '.join(way)}"


def ways(start: str, modules: Modules) -> Iterator[tuple[str, ...]]:
    """The shortest way from a module to everything that importing it loads, of ours or not."""
    seen = {start}
    front: list[tuple[str, ...]] = [(start,)] if start in modules else []
    while front:
        way = front.pop(0)
        for name in sorted(loaded_by(way[-1], modules) - seen):
            seen.add(name)
            yield (*way, name)
            front.append((*way, name))


def loaded_by(name: str, modules: Modules) -> set[str]:
    """What a module imports, and the packages on the way to each: Python runs their `__init__` first."""
    if name not in modules:
        return set()
    ours = {ancestor for target in modules[name].ours for ancestor in [target, *ancestors(target)]}
    return (ours & modules.keys()) | modules[name].others


def ancestors(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


def libraries_out_of_place(modules: Modules, only_in: Rules) -> Iterator[str]:
    for module in modules.values():
        for library in sorted(module.others & only_in.keys()):
            if not covered(module.name, only_in[library]):
                where = f"only {' and '.join(sorted(only_in[library]))}" if only_in[library] else "nobody"
                yield f"{module.name} imports {library}; {where} may"


def impure_imports(modules: Modules, pure: Set[str], libraries: Set[str]) -> Iterator[str]:
    for name in sorted(pure & modules.keys()):
        for library in sorted(modules[name].others & libraries):
            yield f"{name} decides and does not act, and yet imports {library}"


def cycles(modules: Modules) -> Iterator[str]:
    """One ring of imports, if there is any: with it broken, the next one shows."""
    try:
        TopologicalSorter({name: module.ours for name, module in modules.items()}).prepare()
    except CycleError as error:
        yield f"a ring of imports: {' -> '.join(reversed(error.args[1]))}"

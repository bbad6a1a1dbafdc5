"""Reads the package's sources without importing them: which modules there are, and what each imports.

Names here are without the leading `runward.`: `actors.mailbox`, `http.app`.
"""

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent.parent
ROOMS = ("actors", "http", "config", "bin")


@dataclass(frozen=True)
class Module:
    """What a module imports: ours by module, others by their top-level name.

    Every import counts, inside functions and under TYPE_CHECKING too: a reader has to follow those as well.
    """

    name: str
    ours: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()


def read_modules(checkout: Path = CHECKOUT) -> dict[str, Module]:
    """Every module of the package, by name."""
    texts = {name_of(file, checkout): file for file in source_files(checkout)}
    return {name: read_module(name, file, texts) for name, file in texts.items()}


def source_files(checkout: Path = CHECKOUT) -> list[Path]:
    return sorted(file for room in ROOMS for file in (checkout / room).rglob("*.py"))


def name_of(file: Path, checkout: Path = CHECKOUT) -> str:
    parts = file.relative_to(checkout).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def read_module(name: str, file: Path, known: Collection[str]) -> Module:
    """`known` are the names of all our modules: `from .x import y` names a module y or something inside x."""
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    return parse(name, package, file.read_text(), known)


def parse(name: str, package: str, text: str, known: Collection[str]) -> Module:
    ours, others = set(), set()
    for imported in imports_of(ast.parse(text), package):
        if imported.startswith("runward."):
            ours.add(nearest(imported.removeprefix("runward."), known))
        else:
            others.add(imported.partition(".")[0])
    return Module(name, frozenset(ours - {name, ""}), frozenset(others))


def imports_of(tree: ast.AST, package: str) -> Iterator[str]:
    """The absolute dotted name of everything that is imported, with `runward.` before what is ours."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ["runward", *package.split(".")][: len(package.split(".")) + 2 - node.level]
            if node.module:
                base.append(node.module)
            yield from (".".join([*base, alias.name]) for alias in node.names)


def nearest(imported: str, known: Collection[str]) -> str:
    """The module that an imported name is, or is in; empty for what is in the package's own `__init__`."""
    name = imported
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name


def absolute_imports(file: Path) -> list[int]:
    """The lines that import the package by its absolute name."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(file.read_text()))
        if (isinstance(node, ast.ImportFrom) and node.level == 0 and is_ours(node.module or ""))
        or (isinstance(node, ast.Import) and any(is_ours(alias.name) for alias in node.names))
    ]


def is_ours(name: str) -> bool:
    return name.partition(".")[0] == "runward"

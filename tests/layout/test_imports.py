"""The arrows of the design hold: `rules.py` says them, `arrows.py` compares, `sources.py` reads."""

import itertools
from collections.abc import Iterable

import pytest

from . import arrows, rules
from .sources import Module, absolute_imports, parse, read_modules, source_files

MODULES = read_modules()
KNOWN = {
    "actors",
    "actors.errors",
    "actors.supervisor",
    "actors.journal",
    "actors.journal.reader",
    "http.app",
}


def nothing(breaches: Iterable[str]) -> None:
    found = list(breaches)
    assert not found, "\n".join(found)


def test_every_module_imports_only_what_its_room_may() -> None:
    nothing(arrows.forbidden_imports(MODULES, rules.MAY_IMPORT))


def test_processes_beside_untrusted_code_reach_neither_supervisor_nor_journal_nor_http() -> None:
    nothing(arrows.forbidden_reach(MODULES, rules.MUST_NOT_REACH))


def test_each_outside_library_is_known_to_one_place() -> None:
    nothing(arrows.libraries_out_of_place(MODULES, rules.ONLY_IN))


def test_what_decides_neither_acts_nor_looks_at_a_clock() -> None:
    nothing(arrows.impure_imports(MODULES, rules.PURE, rules.IMPURE_LIBRARIES))


def test_imports_make_no_ring() -> None:
    nothing(arrows.cycles(MODULES))


def test_the_package_imports_itself_relatively() -> None:
    nothing(f"{file}:{line}" for file in source_files() for line in absolute_imports(file))


def test_every_rule_names_a_module_that_exists() -> None:
    named = {
        *itertools.chain(*(table.keys() for table in (rules.MAY_IMPORT, rules.MUST_NOT_REACH))),
        *itertools.chain(*rules.MAY_IMPORT.values(), *rules.ONLY_IN.values(), rules.PURE),
    }
    nothing(sorted(name for name in named if not any(arrows.covers(name, module) for module in MODULES)))


@pytest.mark.parametrize(
    ("text", "ours", "others"),
    [
        ("import os.path, zmq", set(), {"os", "zmq"}),
        ("from http import HTTPStatus", set(), {"http"}),
        ("from . import errors", {"actors.errors"}, set()),
        ("from .errors import UnknownRun", {"actors.errors"}, set()),
        ("from .journal.reader import Reader", {"actors.journal.reader"}, set()),
        ("from .journal import reader, nothing", {"actors.journal.reader", "actors.journal"}, set()),
        ("from ..http import app", {"http.app"}, set()),
        ("from .. import __version__", set(), set()),
        ("import runward.http.app", {"http.app"}, set()),
        ("from runward.actors.errors import BadMessage", {"actors.errors"}, set()),
        ("def f():\n    from .errors import BadMessage", {"actors.errors"}, set()),
        ("if TYPE_CHECKING:\n    from .errors import BadMessage", {"actors.errors"}, set()),
    ],
)
def test_every_form_of_import_is_read(text: str, ours: set[str], others: set[str]) -> None:
    module = parse("actors.supervisor", "actors", text, KNOWN)
    assert (set(module.ours), set(module.others)) == (ours, others)


def tree(**modules: set[str]) -> dict[str, Module]:
    """Modules by name, `__` for a dot; what is itself in the tree is ours, the rest is not."""
    names = {name.replace("__", ".") for name in modules}
    return {
        name.replace("__", "."): Module(
            name.replace("__", "."), frozenset(all_ & names), frozenset(all_ - names)
        )
        for name, all_ in modules.items()
    }


def test_the_most_particular_rule_wins() -> None:
    modules = tree(actors__root={"http.app"}, actors__warden={"http.app"}, http__app=set())
    may = {"actors": {"actors"}, "actors.root": {"http"}, "http": set()}
    assert list(arrows.forbidden_imports(modules, may)) == ["actors.warden imports http.app; actors may not"]


def test_a_module_that_no_rule_covers_is_a_breach() -> None:
    assert list(arrows.forbidden_imports(tree(cellar__x=set()), {})) == [
        "no rule says what cellar.x may import"
    ]


def test_reach_goes_through_modules_and_through_the_init_of_their_packages() -> None:
    modules = tree(
        actors__warden={"actors.kit.small"},
        actors__kit={"actors.kit.large"},
        actors__kit__small=set(),
        actors__kit__large={"sqlite3"},
    )
    assert list(arrows.forbidden_reach(modules, {"actors.warden": {"sqlite3"}})) == [
        "actors.warden reaches sqlite3: actors.warden -> actors.kit -> actors.kit.large -> sqlite3"
    ]


def test_a_library_out_of_place_is_a_breach() -> None:
    modules = tree(actors__mailbox={"zmq"}, actors__warden={"zmq", "pickle"})
    assert list(arrows.libraries_out_of_place(modules, {"zmq": {"actors.mailbox"}, "pickle": set()})) == [
        "actors.warden imports pickle; nobody may",
        "actors.warden imports zmq; only actors.mailbox may",
    ]


def test_a_clock_in_what_decides_is_a_breach() -> None:
    assert list(arrows.impure_imports(tree(actors__restart={"time"}), {"actors.restart"}, {"time"})) == [
        "actors.restart decides and does not act, and yet imports time"
    ]


def test_a_ring_is_told_in_the_order_of_its_imports() -> None:
    (breach,) = arrows.cycles(tree(a={"b"}, b={"c"}, c={"a"}, d={"a"}))
    assert breach.removeprefix("a ring of imports: ") in {
        "a -> b -> c -> a",
        "b -> c -> a -> b",
        "c -> a -> b -> c",
    }

"""What an agent may see is told from its declaration and from this machine, links and hidden corners included."""

import os
import sys
from pathlib import Path

import pytest

from runward.actors.containment.visible import Visible, below_any, is_below, resolved, uppermost, visible
from runward.config.sections import AgentPaths, AgentSpec


def seen_by(hidden: tuple[Path, ...] = (), **declared: object) -> Visible:
    spec = AgentSpec(**declared)  # type: ignore[arg-type]
    return visible(spec, map(str, hidden))


def is_seen(seen: Visible, path: Path | str) -> bool:
    """Whether a run can read it by its real path."""
    real = os.path.realpath(path)
    return below_any(real, (*seen.readable, *seen.writable)) and not below_any(real, seen.hidden)


# ── what every agent sees ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "path", ["/usr/bin", "/bin/sh", "/etc/passwd", sys.executable, sys.prefix, os.__file__, pytest.__file__]
)
def test_every_agent_sees_the_system_and_all_that_this_python_is_made_of(path: str) -> None:
    assert is_seen(seen_by(), path)


def test_it_sees_this_package_wherever_that_really_is() -> None:
    import runward.actors.agent
    import runward.config.sections

    seen = seen_by()
    assert is_seen(seen, runward.actors.agent.__file__)
    assert is_seen(seen, runward.config.sections.__file__)
    assert is_seen(seen, runward.__file__ or "")


@pytest.mark.parametrize("path", ["/", "/home", "/var", "/run", "/proc/1", "/dev", "/sys/fs/cgroup"])
def test_it_does_not_see_the_rest_of_the_machine(path: str) -> None:
    assert not is_seen(seen_by(), path)


def test_no_path_is_named_that_another_one_holds() -> None:
    seen = seen_by()
    assert [p for p in seen.readable if below_any(p, [o for o in seen.readable if o != p])] == []


# ── what a declaration adds ─────────────────────────────────────────────────────────────────────


def test_an_agent_sees_the_folder_that_it_is_imported_from(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    assert is_seen(seen_by(entrypoint=f"{tmp_path}/own/agent.py:run"), tmp_path / "own" / "agent.py")
    assert is_seen(seen_by(entrypoint="agent:run", import_root=str(tmp_path)), tmp_path / "own")
    assert not is_seen(seen_by(entrypoint="agent:run"), tmp_path / "own")


def test_a_command_sees_its_program_and_the_files_that_it_is_given(tmp_path: Path) -> None:
    program, data, other = (tmp_path / name for name in ("program", "data", "other"))
    for file in (program, data, other):
        file.touch()
    seen = seen_by(command=(str(program), str(data), "other"))
    assert [is_seen(seen, file) for file in (program, data, other)] == [True, True, False]


def test_declared_paths_are_seen_and_those_to_write_to_are_told_apart(tmp_path: Path) -> None:
    for name in ("read", "write", "write/below"):
        (tmp_path / name).mkdir()
    paths = AgentPaths(
        readable=(f"{tmp_path}/read", f"{tmp_path}/write/below"), writable=(f"{tmp_path}/write",)
    )
    seen = seen_by(paths=paths)
    assert f"{tmp_path}/read" in seen.readable
    assert seen.writable == (f"{tmp_path}/write",)
    assert not below_any(f"{tmp_path}/write/below", seen.readable)


def test_what_is_declared_and_is_not_there_is_told(tmp_path: Path) -> None:
    seen = seen_by(paths=AgentPaths(readable=(f"{tmp_path}/nowhere",), writable=(f"{tmp_path}/nor_here",)))
    assert seen.absent == (f"{tmp_path}/nowhere", f"{tmp_path}/nor_here")


def test_all_can_be_declared_but_not_the_kernels_own_folders() -> None:
    seen = seen_by(paths=AgentPaths(readable=("/",)))
    assert is_seen(seen, "/var")
    assert not {"/proc", "/dev", "/sys", "/tmp", "/"} & set(seen.readable)


# ── what nobody sees ────────────────────────────────────────────────────────────────────────────


def test_what_is_the_servers_is_hidden_where_it_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "config").touch()
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere"
    elsewhere.mkdir()
    hidden = (tmp_path / "state", tmp_path / "config", elsewhere, tmp_path / "nowhere")
    seen = seen_by(hidden, entrypoint="agent:run", import_root=str(tmp_path))
    assert seen.hidden == (f"{tmp_path}/config", f"{tmp_path}/state")
    assert is_seen(seen, tmp_path / "agent.py")
    assert not is_seen(seen, tmp_path / "state" / "journal.db")


def test_it_is_not_seen_though_it_is_declared_nor_is_what_lies_in_it(tmp_path: Path) -> None:
    (tmp_path / "state" / "logs").mkdir(parents=True)
    declared = (f"{tmp_path}/state", f"{tmp_path}/state/logs")
    seen = seen_by((tmp_path / "state",), paths=AgentPaths(readable=declared, writable=declared))
    assert seen.writable == ()
    assert not is_seen(seen, tmp_path / "state" / "logs")
    assert seen.absent == (*declared, *declared)


def test_it_is_not_seen_through_a_link_either(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "link").symlink_to("state")
    seen = seen_by((tmp_path / "state",), paths=AgentPaths(readable=(f"{tmp_path}/link",)))
    assert not is_seen(seen, tmp_path / "state")


# ── links ───────────────────────────────────────────────────────────────────────────────────────


def test_a_path_is_resolved_with_every_link_on_its_way(tmp_path: Path) -> None:
    real = tmp_path / "real" / "deep"
    real.mkdir(parents=True)
    (tmp_path / "one").symlink_to("real")
    (tmp_path / "two").symlink_to(f"{tmp_path}/one/deep")
    path, links = resolved(f"{tmp_path}/two/../deep")
    assert path == str(real)
    assert links == {f"{tmp_path}/two": f"{tmp_path}/one/deep", f"{tmp_path}/one": "real"}


def test_links_that_lead_to_each_other_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    seen = seen_by(paths=AgentPaths(readable=(f"{tmp_path}/one",)))
    assert seen.absent == (f"{tmp_path}/one",)


def test_a_declared_link_is_kept_beside_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    seen = seen_by(paths=AgentPaths(readable=(f"{tmp_path}/link",)))
    assert is_seen(seen, tmp_path / "real")
    assert (f"{tmp_path}/link", "real") in seen.links


def test_a_link_that_a_seen_folder_holds_is_not_made_again(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    seen = seen_by(paths=AgentPaths(readable=(str(tmp_path), f"{tmp_path}/link")))
    assert [link for link, _ in seen.links if is_below(link, str(tmp_path))] == []


# ── paths ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("path", "folder", "below"),
    [
        ("/a", "/a", True),
        ("/a/b", "/a", True),
        ("/ab", "/a", False),
        ("/a", "/a/b", False),
        ("/a", "/", True),
    ],
)
def test_a_path_is_below_a_folder_by_whole_names(path: str, folder: str, below: bool) -> None:
    assert is_below(path, folder) is below


def test_the_uppermost_of_some_paths() -> None:
    assert uppermost(["/b/c", "/a", "/b", "/a/x/y", "/bc", "/a"]) == ("/a", "/b", "/bc")

"""What agents leave is removed, whatever they made of it, and nothing else is."""

import os
import resource
from pathlib import Path

import pytest

from runward.actors import janitor
from tests.support.privileges import without_privileges


@pytest.fixture
def trash(tmp_path: Path) -> Path:
    """A folder to be emptied, with something beside it that must stay."""
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "file").write_text("stays")
    (tmp_path / "trash").mkdir()
    return tmp_path / "trash"


def emptied(trash: Path) -> list[str]:
    """By an ordinary user; what is left then, and that nothing beside it went."""
    without_privileges(lambda: janitor.empty(str(trash)))
    assert (trash.parent / "beside" / "file").read_text() == "stays"
    return os.listdir(trash)


def test_files_folders_pipes_sockets_and_links_are_removed(trash: Path) -> None:
    (trash / "a" / "b").mkdir(parents=True)
    (trash / "a" / "file").write_text("x")
    (trash / "plain").write_text("x")
    os.mkfifo(trash / "a" / "pipe")
    (trash / "a" / "dangling").symlink_to("nowhere")
    assert emptied(trash) == []


def test_a_link_is_removed_and_not_what_it_leads_to(trash: Path) -> None:
    (trash / "run").mkdir()
    (trash / "run" / "out").symlink_to(trash.parent / "beside")
    (trash / "out").symlink_to("../beside")
    (trash / "run" / "file").hardlink_to(trash.parent / "beside" / "file")
    assert emptied(trash) == []


@pytest.mark.parametrize("mode", [0o000, 0o100, 0o400, 0o500])
def test_what_can_not_be_read_or_written_is_removed_all_the_same(trash: Path, mode: int) -> None:
    (trash / "run" / "deep").mkdir(parents=True)
    (trash / "run" / "deep" / "file").write_text("x")
    for path in (trash / "run" / "deep" / "file", trash / "run" / "deep", trash / "run"):
        path.chmod(mode)
    assert emptied(trash) == []


def test_it_may_be_deeper_than_a_path_is_long_and_than_there_are_descriptors(trash: Path) -> None:
    depth, descriptor = 5000, os.open(trash, os.O_DIRECTORY)
    for _ in range(depth):
        os.mkdir("deep", dir_fd=descriptor)
        below = os.open("deep", os.O_DIRECTORY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(before[0], 256), before[1]))
    try:
        assert emptied(trash) == []
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_there_may_be_many(trash: Path) -> None:
    for folder in ("a", "b"):
        (trash / folder).mkdir()
        for number in range(3000):
            os.close(os.open(trash / folder / str(number), os.O_CREAT))
    for number in range(500):
        (trash / "a" / f"folder-{number}").mkdir()
    assert emptied(trash) == []


@pytest.mark.parametrize("name", ["-rf", "new\nline", "\udcff\udcfe", " ", "x" * 255, "…"])
def test_any_name_is_one(trash: Path, name: str) -> None:
    (trash / name).mkdir()
    (trash / name / name).write_text("x")
    assert emptied(trash) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file that is not its own")
def test_what_can_not_be_removed_stays_and_the_rest_goes(trash: Path) -> None:
    stranger = trash / "run" / "stranger"
    stranger.mkdir(parents=True)
    (stranger / "file").write_text("x")
    (trash / "run" / "mine").write_text("x")
    (trash / "other").mkdir()
    os.chown(stranger, 4000, 4000)
    stranger.chmod(0o755)
    assert emptied(trash) == ["run"]
    assert [path.name for path in trash.rglob("*")] == ["run", "stranger", "file"]


def test_an_empty_folder_is_left_as_it_is(trash: Path) -> None:
    assert emptied(trash) == []
    assert trash.exists()

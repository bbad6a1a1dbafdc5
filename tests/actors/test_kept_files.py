"""Files that agents left are read without trusting their names, their kind, their depth or their number."""

import os
from pathlib import Path

import pytest

from runward.actors import kept_files

RUN = "run_1"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The folder of the one run."""
    folder = Path(kept_files.folder(str(tmp_path), RUN))
    folder.mkdir(parents=True)
    (tmp_path / "secret").write_text("not the run's")
    return folder


def paths(kept: Path, most: int = 1000) -> list[bytes]:
    found = kept_files.listed(str(kept.parents[1]), RUN, most)
    assert found is not None
    return [file.path for file in found.files]


def is_complete(kept: Path, most: int = 1000) -> bool:
    found = kept_files.listed(str(kept.parents[1]), RUN, most)
    return found is not None and found.complete


def read(kept: Path, path: bytes) -> bytes:
    file, size_bytes = kept_files.opened(str(kept.parents[1]), RUN, path)
    with open(file, "rb") as opened:
        text = opened.read()
    assert len(text) == size_bytes
    return text


def test_plain_files_are_listed_by_path_with_their_size(kept: Path) -> None:
    (kept / "b").mkdir()
    for name, text in (("c", "three"), ("a", ""), ("b/x", "inner")):
        (kept / name).write_text(text)
    found = kept_files.listed(str(kept.parents[1]), RUN, 1000)
    assert found is not None
    assert [(file.path, file.size_bytes) for file in found.files] == [(b"a", 0), (b"b/x", 5), (b"c", 5)]
    assert found.complete


def test_a_run_that_keeps_nothing_has_no_listing(kept: Path) -> None:
    assert kept_files.listed(str(kept.parents[1]), "run_2", 10) is None


def test_links_pipes_and_sockets_are_neither_listed_nor_opened(kept: Path, tmp_path: Path) -> None:
    (kept / "link").symlink_to(tmp_path / "secret")
    (kept / "folder").symlink_to(tmp_path)
    os.mkfifo(kept / "pipe")
    os.mknod(kept / "socket", 0o140600)
    assert paths(kept) == []
    for path in (b"link", b"folder/secret", b"folder", b"pipe", b"socket"):
        with pytest.raises(FileNotFoundError):
            read(kept, path)


@pytest.mark.parametrize(
    "path",
    [b"", b"..", b"../../secret", b"/etc/passwd", b"a/../../../secret", b"./a", b"a//b", b"a\0b", b"a" * 300],
)
def test_no_path_leads_out(kept: Path, path: bytes) -> None:
    (kept / "a").mkdir()
    with pytest.raises(FileNotFoundError):
        read(kept, path)


def test_a_name_that_is_no_text_is_found_again(kept: Path) -> None:
    name = b"\xff\n\xfe"
    with open(os.fsencode(kept) + b"/" + name, "wb") as file:
        file.write(b"text")
    assert paths(kept) == [name]
    assert read(kept, name) == b"text"


def test_more_files_than_wanted_and_deeper_ones_are_admitted(kept: Path) -> None:
    for number in range(5):
        (kept / f"{number}").write_text("")
    assert (len(paths(kept, 4)), is_complete(kept, 4), is_complete(kept, 5)) == (4, False, True)
    deep = kept
    for _ in range(kept_files.DEEPEST + 1):
        deep /= "d"
        deep.mkdir()
    (deep / "file").write_text("")
    assert (len(paths(kept)), is_complete(kept)) == (5, False)


def test_what_is_looked_at_is_bounded_whatever_it_is(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_files, "MOST_LOOKED_AT", 6)
    for number in range(5):
        (kept / f"folder{number}").mkdir()
    (kept / "z").write_text("")
    assert (paths(kept), is_complete(kept)) == ([b"z"], True)
    (kept / "folder0" / "file").write_text("")
    assert (paths(kept), is_complete(kept)) == ([b"z"], False)
    for number in range(5):
        (kept / f"link{number}").symlink_to("z")
    found = kept_files.listed(str(kept.parents[1]), RUN, 1000)
    assert found is not None
    assert not found.complete


def test_the_paths_of_a_listing_are_no_longer_together_than_can_be_told(kept: Path) -> None:
    here = os.open(kept, os.O_RDONLY)
    for _ in range(40):
        os.mkdir(b"\xff" * 255, dir_fd=here)
        below = os.open(b"\xff" * 255, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    for number in range(500):
        os.close(os.open(b"%d" % number, os.O_CREAT, dir_fd=here))
    os.close(here)
    found = paths(kept)
    assert 0 < len(found) < 500
    assert sum(map(len, found)) <= kept_files.MOST_PATH_BYTES
    assert not is_complete(kept)

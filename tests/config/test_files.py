"""Which file is read, and what is said of one that can't be."""

from pathlib import Path

import pytest

from runward.config.settings import load
from tests.support.privileges import without_privileges

from .conftest import LoadText
from .refusal import refused


def put(file: Path, port: int) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"[http]\nport = {port}\n")
    return file


def test_the_first_file_of_flag_variable_current_folder_and_home_is_read_and_no_other(
    here: Path, home: Path, tmp_path: Path
) -> None:
    environ = {"HOME": str(home), "RUNWARD_CONFIG": str(put(tmp_path / "variable.toml", 2))}
    flag = put(tmp_path / "flag.toml", 1)
    current = put(here / "runward.toml", 3)
    put(home / ".config" / "runward" / "runward.toml", 4)
    assert load(flag, environ).http.port == 1
    assert load(None, environ).http.port == 2
    del environ["RUNWARD_CONFIG"]
    assert load(None, environ).http.port == 3
    current.unlink()
    assert load(None, environ).http.port == 4


def test_the_users_file_is_below_xdg_config_home_where_that_is_set(home: Path, tmp_path: Path) -> None:
    put(tmp_path / "xdg" / "runward" / "runward.toml", 5)
    assert load(None, {"HOME": str(home), "XDG_CONFIG_HOME": str(tmp_path / "xdg")}).http.port == 5


def test_an_empty_runward_config_is_as_none(home: Path) -> None:
    assert load(None, {"HOME": str(home), "RUNWARD_CONFIG": ""}).config_file == ""


def test_settings_say_which_file_was_read(here: Path, home: Path) -> None:
    put(here / "runward.toml", 3)
    settings = load(None, {"HOME": str(home)})
    assert settings.config_file == str(here / "runward.toml")
    assert settings.origins == {"http.port": "file runward.toml"}


def test_a_file_that_was_asked_for_and_is_not_there_is_refused(tmp_path: Path, home: Path) -> None:
    with refused("") as refusal:
        load(tmp_path / "no.toml", {"HOME": str(home)})
    assert refusal.text == f"file {tmp_path}/no.toml can't be read: No such file or directory"


def test_a_missing_file_that_a_variable_names_is_refused_and_the_variable_named(home: Path) -> None:
    with refused("") as refusal:
        load(None, {"HOME": str(home), "RUNWARD_CONFIG": "/no.toml"})
    assert refusal.text.startswith("environment RUNWARD_CONFIG: file /no.toml can't be read")


def test_a_folder_in_the_place_of_the_file_is_refused(here: Path, home: Path) -> None:
    (here / "runward.toml").mkdir()
    with refused("") as refusal:
        load(None, {"HOME": str(home)})
    assert "Is a directory" in refusal.text


def test_a_file_without_read_permission_is_refused(here: Path, home: Path) -> None:
    put(here / "runward.toml", 1).chmod(0)
    with refused("") as refusal:
        without_privileges(lambda: load(None, {"HOME": str(home)}))
    assert "Permission denied" in refusal.text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[http]\nport = \n", "line 2"),
        (b"[http]\nport 8642\n", "line 2"),
        (b'[http]\nhost = "a\n', "line 2"),
        (b"[http\n", "line 1"),
        (b"[http]\n[http]\n", "line 2"),
        (b"[http]\nport = 1\nport = 2\n", "line 3"),
        (b"[agents.a]\n[agents.a]\n", "line 2"),
        (b"[http]\nhost = '\xff'\n", "not UTF-8 text (at line 2)"),
        (b"a = " + b"[" * 100_000, "not valid TOML"),
        (b"a = " + b"9" * 10_000, "not valid TOML"),
    ],
)
def test_a_malformed_file_is_refused_with_its_name_and_line(
    content: bytes, said: str, config_file: Path, home: Path
) -> None:
    config_file.write_bytes(content)
    with refused("") as refusal:
        load(config_file, {"HOME": str(home)})
    assert refusal.text.startswith(f"file {config_file} ")
    assert said in refusal.text


def test_a_malformed_file_does_not_hide_what_is_wrong_elsewhere(load_text: LoadText) -> None:
    with refused("", "http.port"):
        load_text("=", {"RUNWARD_HTTP_PORT": "x"})


def test_an_empty_file_changes_nothing(load_text: LoadText) -> None:
    assert load_text("").origins == {}

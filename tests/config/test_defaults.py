"""The defaults in code, the file that documents them, and that both can be used as they are."""

import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from runward.config import reference
from runward.config.schema import keys_of, plain_keys
from runward.config.sections import AgentSpec, AuthKey, Section, Settings
from runward.config.settings import defaults, load

SHIPPED = (files("runward") / "config" / "runward.toml").read_text()
# `#key = value` and `#[table]` are examples; `# text` is a comment.
WITH_EXAMPLES = re.sub(r"^#(?=[a-z\[])", "", SHIPPED, flags=re.MULTILINE)


def plain(section: Section) -> dict[str, Any]:
    """The keys that a file can set, as a TOML file has them."""
    values = msgspec.to_builtins(section)
    return {name: untupled(values[name]) for name in keys_of(type(section))}


def untupled(value: Any) -> Any:
    match value:
        case dict():
            return {name: untupled(item) for name, item in value.items()}
        case list() | tuple():
            return [untupled(item) for item in value]
    return value


def test_the_shipped_file_holds_every_default_and_nothing_else() -> None:
    expected = plain(Settings())
    del expected["agents"], expected["auth"]["keys"]  # tables with names of their own: shown as examples
    assert tomllib.loads(SHIPPED) == expected


def test_the_shipped_file_writes_each_number_in_the_type_of_its_key() -> None:
    written = tomllib.loads(SHIPPED)
    for section, table in plain(Settings()).items():
        if section != "agents":
            for name, value in written[section].items():
                assert type(value) is type(table[name]), f"{section}.{name}"


def test_the_example_agent_in_the_shipped_file_shows_every_key_with_its_default() -> None:
    (shown,) = tomllib.loads(WITH_EXAMPLES)["agents"].values()
    expected = plain(AgentSpec()) | {"entrypoint": "example.py:agent", "limits": {}}
    assert shown == expected


def test_the_example_key_in_the_shipped_file_shows_every_field() -> None:
    (shown,) = tomllib.loads(WITH_EXAMPLES)["auth"]["keys"]
    assert list(shown) == list(keys_of(AuthKey))


def test_the_shipped_file_can_be_loaded_with_its_examples(tmp_path: Path) -> None:
    file = tmp_path / "runward.toml"
    file.write_text(WITH_EXAMPLES)
    settings = load(file, {"HOME": "/home/me"})
    assert settings.agents["example"].entrypoint == f"{tmp_path}/example.py:agent"


def test_no_section_of_the_shipped_file_begins_without_a_comment() -> None:
    assert not re.search(r"^\[.*\]\n[a-z]", SHIPPED, re.MULTILINE)


def test_loading_the_shipped_file_changes_nothing_but_where_settings_come_from(tmp_path: Path) -> None:
    file = tmp_path / "runward.toml"
    file.write_text(SHIPPED)
    environ = {"HOME": "/home/me"}
    loaded, bare = load(file, environ), load(None, environ)
    assert msgspec.structs.replace(loaded, origins={}, config_file="") == bare


def test_nothing_configured_gives_the_defaults_and_a_state_folder_below_the_home() -> None:
    settings = load(None, {"HOME": "/home/me"})
    assert settings.state.dir == "/home/me/.local/state/runward"
    state = msgspec.structs.replace(settings.state, dir="")
    assert msgspec.structs.replace(settings, state=state) == defaults()


def test_the_state_folder_is_below_xdg_state_home_where_that_is_set() -> None:
    assert load(None, {"HOME": "/h", "XDG_STATE_HOME": "/var/s"}).state.dir == "/var/s/runward"


def test_a_relative_xdg_state_home_is_ignored_as_its_specification_asks() -> None:
    assert load(None, {"HOME": "/h", "XDG_STATE_HOME": "s"}).state.dir == "/h/.local/state/runward"


def test_the_defaults_pass_between_processes_unchanged() -> None:
    settings = defaults()
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(settings), type=Settings) == settings


def test_the_built_in_agents_are_agents_like_any_other() -> None:
    agents = defaults().agents
    assert list(agents) == ["echo", "count", "crash", "spin", "hog"]
    assert agents["echo"].entrypoint == "runward.actors.builtin:echo"
    assert all(spec.name == name and spec.import_root == "" for name, spec in agents.items())


def test_the_page_that_is_made_from_them_is_up_to_date() -> None:
    """Else: python -m runward.config.reference > docs/configuration.md."""
    written = (Path(__file__).parent.parent.parent / "docs" / "configuration.md").read_text()
    assert written == reference.markdown()
    for key in plain_keys():
        assert f"**`{key}`**" in written
    for name in keys_of(AgentSpec):
        assert f"**`agents.NAME.{name}`**" in written

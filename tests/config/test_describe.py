"""The effective settings as text: complete, with sources, without secrets."""

import tomllib
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runward.config.sections import AgentSpec, Settings
from runward.config.settings import defaults, describe

from .conftest import LoadText
from .test_defaults import plain

HASH = "sha256:" + "0123456789abcdef" * 4


def line_of(text: str, start: str) -> str:
    (line,) = (line for line in text.splitlines() if line.startswith(f"{start} = "))
    return line


def test_the_description_of_the_defaults_holds_every_key_and_value() -> None:
    settings = defaults()
    described = tomllib.loads(describe(settings))
    expected = plain(settings)
    for agent in expected["agents"].values():
        del agent["name"], agent["import_root"], agent["callable"]
    assert described == expected


@pytest.mark.parametrize(
    ("key", "source"),
    [
        ("host", "default"),
        ("port", "flag http.port"),
        ("workers", "environment RUNWARD_HTTP_WORKERS"),
        ("retry_ms", "file {file}"),
    ],
)
def test_each_key_says_who_set_it(key: str, source: str, load_text: LoadText) -> None:
    loaded = load_text("[http]\nretry_ms = 5\n", {"RUNWARD_HTTP_WORKERS": "2"}, {"http.port": 1})
    assert line_of(describe(loaded), key).endswith(f"  # {source.format(file=loaded.config_file)}")


def test_the_description_begins_with_the_file_that_was_read(load_text: LoadText) -> None:
    loaded = load_text("")
    assert describe(loaded).startswith(f"# file {loaded.config_file}\n")
    assert describe(defaults()).startswith("# no file\n")


def test_a_limit_that_an_agent_has_from_all_agents_says_so(load_text: LoadText) -> None:
    loaded = load_text("[agents.a]\ncommand = ['x']\nlimits = { pids = 2 }\n", {"RUNWARD_LIMITS_WALL_S": "9"})
    of_agent = describe(loaded).split("[agents.a.limits]")[1]
    assert line_of(of_agent, "pids").endswith(f"# file {loaded.config_file}")
    assert line_of(of_agent, "wall_s").endswith("# environment RUNWARD_LIMITS_WALL_S")
    assert line_of(of_agent, "cpu_s").endswith("# default")


def test_a_hash_is_cut_short(load_text: LoadText) -> None:
    text = describe(load_text(f"[[auth.keys]]\nname = 'a'\nrole = 'run'\nhash = '{HASH}'\n"))
    (key,) = tomllib.loads(text)["auth"]["keys"]
    assert (key["name"], key["role"], key["hash"]) == ("a", "run", "sha256:01234567…")


DATA = st.recursive(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"])).map(lambda text: f"hunter2{text}"),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False),
        st.booleans(),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), inner, max_size=3),
    ),
    max_leaves=6,
)


@given(
    options=st.dictionaries(st.sampled_from(["a", "b", "données"]), DATA),
    env=st.dictionaries(st.sampled_from(["A", "B"]), st.just("hunter2")),
    description=st.text(st.characters(exclude_categories=["Cs"])),
)
@settings(deadline=None)
def test_no_text_of_an_agents_options_or_environment_is_shown_and_the_rest_is_still_toml(
    options: dict[str, Any], env: dict[str, str], description: str
) -> None:
    spec = AgentSpec(name="a", command=("x",), options=options, env=env, description=description)
    text = describe(Settings(agents={"a": spec}))
    assert "hunter2" not in text
    described = tomllib.loads(text)["agents"]["a"]
    assert described["description"] == description
    assert described["options"].keys() == options.keys()
    assert described["env"].keys() == env.keys()


@given(options=st.dictionaries(st.sampled_from(["a", "b"]), DATA))
@settings(deadline=None)
def test_an_agents_options_pass_between_processes_unchanged(options: dict[str, Any]) -> None:
    before = Settings(agents={"a": AgentSpec(name="a", command=("x",), options=options)})
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(before), type=Settings) == before

"""What is not understood is refused: every mistake at once, each with its source and its key."""

import datetime
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runward.config.checking import check
from runward.config.loading import load
from runward.config.schema import keys_of, plain_keys
from runward.config.sections import AgentSpec, Settings
from runward.config.settings import ConfigError, defaults
from runward.config.sources import nested

from .conftest import LoadText
from .refusal import refused

QUICK = settings(deadline=None, max_examples=12)
AGENT_KEYS = {f"agents.a.{name}": getattr(AgentSpec(), name) for name in keys_of(AgentSpec)}
EVERY_KEY = {
    key: getattr(getattr(Settings(), key.split(".")[0]), key.split(".")[1]) for key in plain_keys()
} | AGENT_KEYS

ANY_KIND = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.dates(),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(), st.integers(), max_size=3),
)


def is_wrong_for(default: object, value: object) -> bool:
    """Whether a value is of another kind than the default: told without the code under test."""
    match default:
        case bool():
            return not isinstance(value, bool)
        case int():
            return type(value) is not int
        case float():
            return type(value) not in (int, float)
        case str():
            return not isinstance(value, str)
        case tuple():
            return not isinstance(value, list) or value != []
    return not isinstance(value, dict)


@pytest.mark.parametrize("key", EVERY_KEY)
@given(data=st.data())
@QUICK
def test_a_value_of_the_wrong_kind_is_refused_and_its_key_named(key: str, data: st.DataObject) -> None:
    wrong = data.draw(ANY_KIND.filter(lambda value: is_wrong_for(EVERY_KEY[key], value)))
    _, problems = check(nested(key, wrong), "file f")
    assert problems
    for problem in problems:
        assert problem.key.startswith(key)
        assert str(problem).startswith(f"file f: {key}")


@pytest.mark.parametrize("key", [key for key, value in EVERY_KEY.items() if type(value) in (int, float)])
@pytest.mark.parametrize(
    "value", [-1, 2**63, 1e10, float("nan"), float("inf"), pytest.param(10**5000, id="huge")]
)
def test_a_number_below_or_far_beyond_its_range_is_refused(key: str, value: float) -> None:
    _, problems = check(nested(key, value), "flag")
    assert [problem.key for problem in problems] == [key]


KNOWN_WORDS = st.sampled_from([part for key in EVERY_KEY for part in key.split(".")] + ["keys", "name"])
ANY_TREE = st.recursive(
    ANY_KIND,
    lambda inner: st.one_of(
        st.dictionaries(st.one_of(KNOWN_WORDS, st.text(max_size=5)), inner, max_size=4),
        st.lists(inner, max_size=3),
    ),
    max_leaves=12,
)


@given(tree=st.dictionaries(KNOWN_WORDS, ANY_TREE, max_size=4))
@settings(deadline=None)
def test_whatever_a_source_says_it_is_loaded_or_refused(tree: dict[str, Any]) -> None:
    with suppress(ConfigError):
        loaded = load(None, {"HOME": "/h"}, tree)
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(loaded), type=Settings) == loaded


@given(
    variables=st.dictionaries(
        st.sampled_from([f"RUNWARD_{key.replace('.', '_').upper()}" for key in plain_keys()]),
        st.text(st.characters(exclude_characters="\0")),
        max_size=4,
    )
)
@settings(deadline=None)
def test_whatever_the_environment_says_it_is_loaded_or_refused(variables: dict[str, str]) -> None:
    with suppress(ConfigError):
        load(None, {"HOME": "/h", **variables})


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[http]\nprot = 1", "http.prot is not a known key; did you mean http.port?"),
        ("[http]\nkeepalive = 1", "http.keepalive is not a known key; did you mean http.keepalive_s?"),
        ("[http]\nretry_s = 1", "http.retry_s is not a known key; did you mean http.retry_ms?"),
        ("[http]\nsynchronous = 1", "http.synchronous is not a known key; did you mean state.synchronous?"),
        ("port = 1", "port is not a known key; did you mean http.port?"),
        ("[htp]", "htp is not a known key; did you mean http?"),
        ('[http]\n"a b" = 1', 'http."a b" is not a known key; known here: host, port, workers,'),
        ("[agents.a]\nentry = 'm:a'", "agents.a.entry is not a known key; did you mean agents.a.entrypoint?"),
        ("[agents.a]\nname = 'b'", "agents.a.name is not a known key"),
        ("[agents.a]\nimport_root = '/'", "agents.a.import_root is not a known key"),
        ("config_file = '/x'", "config_file is not a known key"),
        ("http = 1", "http must be a table, not a number"),
        ("[http]\nport = 65536", "http.port must be a whole number from 0 to 65535, not the number 65536"),
        ("[http]\nport = '1'", 'http.port must be a whole number from 0 to 65535, not the text "1"'),
        ("[http]\nport = true", "http.port must be a whole number from 0 to 65535, not true"),
        ("[http]\nport = 1.0", "http.port must be a whole number from 0 to 65535, not the number 1.0"),
        ("[http]\nkeepalive_s = '9s'", "http.keepalive_s must be a number of seconds above 0 to"),
        ("[http]\nkeepalive_s = 0", "http.keepalive_s must be a number of seconds above 0 to"),
        ("[http]\nretry_ms = 0.5", "http.retry_ms must be a whole number of milliseconds from 0 to"),
        ("[http]\nbehind_tls_proxy = 1", "http.behind_tls_proxy must be true or false, not the number 1"),
        ("[http]\nhost = ''", "http.host must be a host name or address"),
        ("[http]\nhost = 'http://a'", "http.host must be a host name or address, without scheme or path"),
        ("[http]\nhost = 2020-01-01", "not a date or time (put it in quotes)"),
        ("[http]\ncors_origins = 'http://a'", 'http.cors_origins must be a list, not the text "http://a"'),
        (
            "[http]\ncors_origins = ['*']",
            "http.cors_origins[0] must be an origin such as https://example.com",
        ),
        ("[http]\ncors_origins = ['http://a/']", "http.cors_origins[0] must be an origin such as"),
        ("[auth]\nmode = 'token'", 'auth.mode must be one of "key", "none", not the text "token"'),
        ('[state]\ndir = "a\\u0000"', "state.dir must be UTF-8 text without a zero byte"),
        ("[runs]\nbuiltin_agents = ['eco']", 'runs.builtin_agents[0] must be one of "echo", "count"'),
        ("[containment]\nrequire = ['kill>=K9']", 'containment.require[0] must be "kill>=RUNG" (K0, K1-'),
        ("[limits]\nmemory_bytes = '1G'", "limits.memory_bytes must be a whole number of bytes from 0 to"),
        ("[limits]\nmemory_bytes = 0x" + "f" * 5000, "not a number of more than 64 bits"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_what_would_be_right(
    text: str, line: str, load_text: LoadText
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_text(text)
    (only,) = str(caught.value).splitlines()
    assert "/server.toml: " in only
    assert line in only


def test_all_mistakes_of_all_sources_are_reported_together(load_text: LoadText) -> None:
    with refused("http.port", "auth.mod", "state.synchronous", "runs.max_live", "RUNWARD_X") as refusal:
        load_text(
            "[http]\nport = -1\n[auth]\nmod = 'none'\n[state]\nsynchronous = 'off'\n",
            {"RUNWARD_RUNS_MAX_LIVE": "many", "RUNWARD_X": "1"},
        )
    assert len(refusal.lines) == 5


def test_a_wrong_value_is_refused_even_where_a_stronger_source_is_right(load_text: LoadText) -> None:
    with refused("http.port"):
        load_text("[http]\nport = -1\n", {"RUNWARD_HTTP_PORT": "1"}, {"http.port": 1})


@pytest.mark.parametrize(
    "text",
    [
        "[[auth.keys]]\nname = 'a'\nrole = 'run'\nhash = 'hunter2'",
        "[auth]\nkeys = [{ name = 'a', role = 'run', hash = ['hunter2'] }]",
        "[auth]\nkeys = ['hunter2']",
        "[auth]\nkeys = 'hunter2'",
        "[auth]\nkey = 'hunter2'",
        "[agents.a]\ncommand = ['x']\nenv = 'hunter2'",
        "[agents.a]\ncommand = ['x']\noptions = 'hunter2'",
        "[agents.a]\ncommand = ['x']\n[agents.a.env]\nTOKEN = ['hunter2']",
        '[agents.a]\ncommand = ["x"]\n[agents.a.env]\nTOKEN = "hunter2\\u0000"',
        '[agents.a]\ncommand = ["x"]\n[agents.a.options]\ntoken = "hunter2\\u0000"',
    ],
)
def test_a_refusal_never_repeats_what_may_be_a_secret(text: str, load_text: LoadText) -> None:
    with pytest.raises(ConfigError) as caught:
        load_text(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (datetime.date(2020, 1, 1), "agents.a.options.x"),
        (2**63, "agents.a.options.x"),
        ("\0", "agents.a.options.x"),
        ("\ud800", "agents.a.options.x"),
        ([1, {"deep": [2**64]}], "agents.a.options.x[1].deep[0]"),
        (object(), "agents.a.options.x"),
        ({"\0": 1}, "agents.a.options.x"),
    ],
)
def test_an_option_that_would_not_reach_the_agent_is_refused(value: object, key: str) -> None:
    _, problems = check(nested("agents.a.options", {"x": value}), "file f")
    assert [problem.key for problem in problems] == [key]


@pytest.mark.parametrize("text", ["x" + ".x" * 2000 + " = 1", "x = " + "[" * 40 + "]" * 40])
def test_options_that_are_nested_too_deep_are_refused(text: str, load_text: LoadText) -> None:
    with pytest.raises(ConfigError, match="nested more than 32 deep"):
        load_text(f"[agents.a]\ncommand = ['x']\n[agents.a.options]\n{text}\n")


def test_what_is_right_is_kept_beside_what_is_wrong() -> None:
    checked, problems = check({"http": {"port": 1, "workers": "x"}}, "file f")
    assert checked == {"http": {"port": 1}}
    assert len(problems) == 1


def test_the_default_of_every_key_is_right_for_its_key() -> None:
    for key, value in EVERY_KEY.items():
        plain = msgspec.to_builtins(value)
        _, problems = check(nested(key, plain), "file f")
        assert not problems
    assert defaults()

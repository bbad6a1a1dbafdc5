"""What variables and flags say, and which source wins."""

from pathlib import Path

import pytest

from runward.config.schema import plain_keys
from runward.config.settings import load
from runward.config.sources import variable_for

from .conftest import LoadText
from .refusal import refused


def test_a_flag_wins_over_a_variable_and_a_variable_over_the_file(load_text: LoadText) -> None:
    file, variable, flag = "[http]\nport = 1\n", {"RUNWARD_HTTP_PORT": "2"}, {"http.port": 3}
    assert load_text(file).http.port == 1
    assert load_text(file, variable).http.port == 2
    assert load_text(file, variable, flag).http.port == 3
    assert load_text("", {}, flag).http.port == 3


def test_sources_that_set_different_keys_of_a_section_add_up(load_text: LoadText) -> None:
    settings = load_text("[http]\nport = 1\n", {"RUNWARD_HTTP_WORKERS": "2"}, {"http.retry_ms": 3})
    assert (settings.http.port, settings.http.workers, settings.http.retry_ms) == (1, 2, 3)
    assert settings.origins["http.workers"] == "environment RUNWARD_HTTP_WORKERS"
    assert settings.origins["http.retry_ms"] == "flag http.retry_ms"


@pytest.mark.parametrize(
    ("variable", "text", "key", "value"),
    [
        ("RUNWARD_HTTP_PORT", "0", "http.port", 0),
        ("RUNWARD_HTTP_HOST", "::1", "http.host", "::1"),
        ("RUNWARD_HTTP_KEEPALIVE_S", "2.5", "http.keepalive_s", 2.5),
        ("RUNWARD_HTTP_KEEPALIVE_S", "2", "http.keepalive_s", 2.0),
        ("RUNWARD_HTTP_BEHIND_TLS_PROXY", "yes", "http.behind_tls_proxy", True),
        ("RUNWARD_HTTP_BEHIND_TLS_PROXY", "TRUE", "http.behind_tls_proxy", True),
        ("RUNWARD_HTTP_BEHIND_TLS_PROXY", "0", "http.behind_tls_proxy", False),
        ("RUNWARD_HTTP_ALLOWED_HOSTS", "", "http.allowed_hosts", ()),
        ("RUNWARD_HTTP_ALLOWED_HOSTS", "a, b,", "http.allowed_hosts", ("a", "b")),
        ("RUNWARD_HTTP_ALLOWED_HOSTS", '["a", "b"]', "http.allowed_hosts", ("a", "b")),
        ("RUNWARD_RUNS_BUILTIN_AGENTS", "echo,smollm", "runs.builtin_agents", ("echo", "smollm")),
        ("RUNWARD_STATE_SYNCHRONOUS", "full", "state.synchronous", "full"),
        ("RUNWARD_LIMITS_MEMORY_BYTES", "1_000_000", "limits.memory_bytes", 1_000_000),
        ("RUNWARD_CONTAINMENT_REQUIRE", "kill>=K3,memory", "containment.require", ("kill>=K3", "memory")),
    ],
)
def test_a_variable_is_read_in_the_type_of_its_key(
    variable: str, text: str, key: str, value: object, load_text: LoadText
) -> None:
    settings = load_text("", {variable: text})
    section, name = key.split(".")
    assert getattr(getattr(settings, section), name) == value


@pytest.mark.parametrize(
    ("variable", "text", "key"),
    [
        ("RUNWARD_HTTP_PORT", "", "http.port"),
        ("RUNWARD_HTTP_PORT", "80.5", "http.port"),
        ("RUNWARD_HTTP_PORT", "9" * 5000, "http.port"),
        ("RUNWARD_HTTP_KEEPALIVE_S", "10s", "http.keepalive_s"),
        ("RUNWARD_HTTP_KEEPALIVE_S", "nan", "http.keepalive_s"),
        ("RUNWARD_HTTP_KEEPALIVE_S", "inf", "http.keepalive_s"),
        ("RUNWARD_HTTP_BEHIND_TLS_PROXY", "perhaps", "http.behind_tls_proxy"),
        ("RUNWARD_HTTP_ALLOWED_HOSTS", '["a"', "http.allowed_hosts"),
        ("RUNWARD_HTTP_ALLOWED_HOSTS", "[1]", "http.allowed_hosts[0]"),
        ("RUNWARD_STATE_SYNCHRONOUS", "FULL", "state.synchronous"),
        ("RUNWARD_STATE_DIR", "\udcff", "state.dir"),
    ],
)
def test_a_variable_that_makes_no_sense_for_its_key_is_refused_by_both_names(
    variable: str, text: str, key: str, load_text: LoadText
) -> None:
    with refused(key) as refusal:
        load_text("", {variable: text})
    assert refusal.text.startswith(f"environment {variable}: {key} must be ")


@pytest.mark.parametrize(
    ("variable", "suggested"),
    [
        ("RUNWARD_HTTP_PROT", "did you mean RUNWARD_HTTP_PORT?"),
        ("RUNWARD_PORT", "did you mean RUNWARD_HTTP_PORT?"),
        ("RUNWARD_KEY", "did you mean RUNWARD_API_KEY?"),
        ("RUNWARD_AGENTS_ECHO_ENV", "declared in the file"),
        ("RUNWARD_AUTH_KEYS", "declared in the file"),
        ("RUNWARD_", "not a known variable"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_known_one(
    variable: str, suggested: str, load_text: LoadText
) -> None:
    with refused(variable) as refusal:
        load_text("", {variable: "sesame"})
    assert suggested in refusal.text
    assert "sesame" not in refusal.text


def test_variables_of_others_and_the_special_ones_are_left_alone(load_text: LoadText) -> None:
    environ = {"RUNWARD_API_KEY": "k", "RUNWARD_URL": "http://x", "RUNWARDX": "1", "PATH": "/bin"}
    assert load_text("", environ).origins == {}


def test_every_plain_key_has_a_variable_of_its_own() -> None:
    assert len({variable_for(key) for key in plain_keys()}) == len(plain_keys())


def test_a_flag_that_was_not_given_is_none_and_changes_nothing(load_text: LoadText) -> None:
    assert load_text("[http]\nport = 1\n", {}, {"http.port": None}).http.port == 1


def test_a_flag_with_an_unknown_key_is_refused(load_text: LoadText) -> None:
    with refused("http.prot") as refusal:
        load_text("", {}, {"http.prot": 1})
    assert refusal.text == "flag http.prot: http.prot is not a known key; did you mean http.port?"


def test_paths_in_variables_and_flags_are_relative_to_the_current_folder(here: Path) -> None:
    assert load(None, {"HOME": "/h", "RUNWARD_STATE_DIR": "s"}).state.dir == f"{here}/s"
    assert load(None, {"HOME": "/h"}, {"state.dir": Path("s")}).state.dir == f"{here}/s"
    assert load(None, {"HOME": "/h"}, {"state.dir": "~/s"}).state.dir == "/h/s"


def test_a_flag_can_declare_an_agent(here: Path) -> None:
    agents = load(None, {"HOME": "/h"}, {"agents.mine.entrypoint": "bot.py:main"}).agents
    assert agents["mine"].entrypoint == f"{here}/bot.py:main"
    assert agents["mine"].import_root == str(here)

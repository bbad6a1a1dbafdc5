"""From an agent's table to a spec that a zygote can start from: paths, limits, built-in agents, rules."""

import os
from pathlib import Path

import pytest

from runward.config.settings import AgentPaths, Limits, load

from .conftest import LoadText
from .refusal import refused


def agent(body: str) -> str:
    return f"[agents.a]\n{body}\n"


@pytest.mark.parametrize(
    ("entrypoint", "resolved"),
    [
        ("bot.py:main", "{etc}/bot.py:main"),
        ("bots/deep/bot.py:Bot.make", "{etc}/bots/deep/bot.py:Bot.make"),
        ("../bot.py:main", "{etc_parent}/bot.py:main"),
        ("/opt/bot.py:main", "/opt/bot.py:main"),
        ("~/bot.py:main", "{home}/bot.py:main"),
        ("with:colon/bot.py:main", "{etc}/with:colon/bot.py:main"),
        ("package.module:attr", "package.module:attr"),
        ("module:Class.method", "module:Class.method"),
        ("µ.agent:données", "µ.agent:données"),
    ],
)
def test_a_file_entrypoint_is_relative_to_its_config_file_and_a_module_is_left_as_it_is(
    entrypoint: str, resolved: str, load_text: LoadText, config_file: Path, home: Path
) -> None:
    spec = load_text(agent(f"entrypoint = '{entrypoint}'")).agents["a"]
    etc = config_file.parent
    assert spec.entrypoint == resolved.format(etc=etc, etc_parent=etc.parent, home=home)
    assert spec.import_root == str(etc)
    assert spec.name == "a"


def test_a_config_file_that_is_named_relatively_gives_absolute_paths(here: Path) -> None:
    (here / "sub").mkdir()
    (here / "sub" / "r.toml").write_text(agent("entrypoint = 'bot.py:main'"))
    spec = load(Path("sub/r.toml"), {"HOME": "/h"}).agents["a"]
    assert spec.entrypoint == f"{here}/sub/bot.py:main"
    assert spec.import_root == f"{here}/sub"


@pytest.mark.parametrize(
    "entrypoint",
    [
        "bot",
        "bot.py",
        ":main",
        "bot:",
        "bot.py:",
        "a b:main",
        "bot:a-b",
        "bot:1a",
        "a..b:c",
        "/bot:m",
    ],
)
def test_an_entrypoint_in_another_form_is_refused(entrypoint: str, load_text: LoadText) -> None:
    with refused("agents.a.entrypoint"):
        load_text(agent(f"entrypoint = '{entrypoint}'"))


@pytest.mark.parametrize(
    ("program", "resolved"),
    [("python3", "python3"), ("./run", "{etc}/run"), ("bin/run", "{etc}/bin/run"), ("/bin/sh", "/bin/sh")],
)
def test_a_program_with_a_slash_is_relative_to_the_config_file_and_one_without_is_for_path(
    program: str, resolved: str, load_text: LoadText, config_file: Path
) -> None:
    spec = load_text(agent(f"command = ['{program}', './x']")).agents["a"]
    assert spec.command == (resolved.format(etc=config_file.parent), "./x")


def test_an_agents_paths_are_relative_to_the_config_file(
    load_text: LoadText, config_file: Path, home: Path
) -> None:
    spec = load_text(agent("command = ['x']\npaths = { readable = ['data', '/srv'], writable = ['~/out'] }"))
    expected = AgentPaths(readable=(f"{config_file.parent}/data", "/srv"), writable=(f"{home}/out",))
    assert spec.agents["a"].paths == expected


def test_an_agent_has_the_common_limits_and_its_own_over_them(load_text: LoadText) -> None:
    limits = "[limits]\npids = 64\nwall_s = 60\n"
    agents = load_text(limits + agent("command = ['x']\nlimits = { wall_s = 0, cpu_s = 5 }")).agents
    assert agents["a"].limits == Limits(pids=64, wall_s=0, cpu_s=5)
    assert agents["echo"].limits == Limits(pids=64, wall_s=60)


def test_everything_that_an_agent_may_say_arrives(load_text: LoadText) -> None:
    spec = load_text(
        agent(
            """
            description = "d"
            entrypoint = "m:a"
            options = { model = "x", deep = { list = [1, 2.5, true, "s"] } }
            env = { TOKEN = "t" }
            preload = ["numpy", "os.path"]
            network = "proxy"
            allow_hosts = ["api.example.com", "*.example.org:443"]
            restart = "transient"
            max_concurrent = 3
            """
        )
    ).agents["a"]
    assert spec.options == {"model": "x", "deep": {"list": [1, 2.5, True, "s"]}}
    assert spec.env == {"TOKEN": "t"}
    assert spec.preload == ("numpy", "os.path")
    assert (spec.network, spec.allow_hosts) == ("proxy", ("api.example.com", "*.example.org:443"))
    assert (spec.restart, spec.max_concurrent, spec.description) == ("transient", 3, "d")


@pytest.mark.parametrize("name", ["A", "a.b", "-a", "_a", "a b", "a" * 65, "", "é"])
def test_an_agent_with_a_bad_name_is_refused(name: str, load_text: LoadText) -> None:
    with refused(f"agents.{name}" if name in ("A", "-a", "_a", "a" * 65) else f'agents."{name}"') as refusal:
        load_text(f'[agents."{name}"]\ncommand = ["x"]\n')
    assert "must be a name of 1 to 64" in refusal.text


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "neither an entrypoint nor a command"),
        ("entrypoint = ''\ncommand = []", "neither an entrypoint nor a command"),
        ("entrypoint = 'm:a'\ncommand = ['x']", "both an entrypoint and a command"),
        ("command = ['']", "a command whose program is empty"),
        ("command = ['x']\npreload = ['m']", "preload"),
        ("command = ['x']\nnetwork = 'proxy'", 'network "proxy" and no allow_hosts'),
        (
            "command = ['x']\nnetwork = 'proxy'\nallow_hosts = ['h', 'h:0']",
            "a port that is no number from 1 to 65535",
        ),
        ("command = ['x']\nnetwork = 'proxy'\nallow_hosts = ['http:x//']", "allow_hosts"),
        ("command = ['x']\nallow_hosts = ['h']", 'its network is "none"'),
        ("command = ['x']\nallow_hosts = ['h']\nnetwork = 'host'", 'its network is "host"'),
    ],
)
def test_an_agent_that_contradicts_itself_is_refused(body: str, said: str, load_text: LoadText) -> None:
    with refused("agents.a") as refusal:
        load_text(agent(body))
    assert said in refusal.text
    assert refusal.text.startswith("file /")


def test_a_mistyped_entrypoint_is_reported_once_and_not_also_as_missing(load_text: LoadText) -> None:
    with refused("agents.a.entrypiont"):
        load_text(agent("entrypiont = 'm:a'"))


def test_declaring_a_built_in_agent_replaces_it(load_text: LoadText) -> None:
    spec = load_text("[agents.echo]\ncommand = ['cat']\n").agents["echo"]
    assert (spec.entrypoint, spec.command, spec.description) == ("", ("cat",), "")


def test_a_built_in_agent_declared_by_half_is_refused_and_told_why(load_text: LoadText) -> None:
    with refused("agents.echo") as refusal:
        load_text("[agents.echo]\nmax_concurrent = 2\n")
    assert "declaring a built-in agent replaces all of it" in refusal.text


def test_only_the_built_in_agents_that_are_listed_are_there(load_text: LoadText) -> None:
    agents = load_text("[runs]\nbuiltin_agents = ['smollm']\ndefault_agent = 'smollm'\n").agents
    assert {name: spec.entrypoint for name, spec in agents.items()} == {
        "smollm": "runward.actors.smollm:SmolLM"
    }


def test_the_default_agent_must_be_declared(load_text: LoadText) -> None:
    with refused("runs.default_agent") as refusal:
        load_text(agent("command = ['x']") + "[runs]\ndefault_agent = 'b'\nbuiltin_agents = []\n")
    assert '"b" (declared: a)' in refusal.text


def test_the_file_and_a_flag_can_each_hold_a_part_of_an_agent(load_text: LoadText, here: Path) -> None:
    settings = load_text(agent("entrypoint = 'm:a'\noptions = { x = 1 }"), {}, {"agents.a.options.y": 2})
    assert settings.agents["a"].options == {"x": 1, "y": 2}
    assert settings.agents["a"].import_root != str(here)


def test_a_callable_comes_from_an_embedding_process_and_from_no_other_source(load_text: LoadText) -> None:
    with refused("agents.a.callable"):
        load_text("[agents.a]\ncallable = 'x'\n")
    with refused("agents.a.callable"):
        load_text("", {}, {"agents": {"a": {"callable": b"x", "entrypoint": "m:f"}}})
    declared = {"agents": {"a": {"network": "host"}}}
    spec = load(Path(os.devnull), {}, declared, {"a": b"x"}).agents["a"]
    assert (spec.callable, spec.network, spec.entrypoint) == (b"x", "host", "")
    with refused("agents.a") as refusal:
        load(Path(os.devnull), {}, {"agents": {"a": {"entrypoint": "m:f"}}}, {"a": b"x"})
    assert "neither entrypoint nor command" in refusal.text

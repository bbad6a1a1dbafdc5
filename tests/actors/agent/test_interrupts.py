"""Agents that are asked to end: by message, then by SIGTERM. In real processes."""

import pytest

from .harness import Life, Warden

INTERRUPTED = 130


def asked_to_end(warden: Warden, agent: str, text: str = "hello", deltas: int = 1) -> Life:
    """An agent that had said something when it was interrupted, and is over."""
    life = warden.run(agent, text)
    life.hear_deltas(deltas)
    life.interrupt()
    life.end()
    return life


def terminated(warden: Warden, agent: str) -> Life:
    """An agent that had said something when it was sent SIGTERM, and is over."""
    life = warden.run(agent)
    life.hear_deltas()
    life.signal()
    life.end()
    return life


def test_a_function_that_sees_it_returns_its_output(warden: Warden) -> None:
    life = asked_to_end(warden, "patient:polls")
    assert life.claim == {"claim": "interrupted", "output": "saw it", "kind": "function"}
    assert life.end() == INTERRUPTED


def test_a_function_that_checks_is_left_by_the_exception(warden: Warden) -> None:
    life = asked_to_end(warden, "patient:checks")
    assert life.claim == {"claim": "interrupted", "kind": "function"}
    assert (life.end(), life.stderr) == (INTERRUPTED, "")


def test_what_it_raises_after_an_interrupt_is_told_but_is_no_failure(warden: Warden) -> None:
    life = asked_to_end(warden, "patient:raises_when_asked")
    assert life.claim["claim"] == "interrupted"
    assert life.claim["error"] == "ConnectionError: the line was cut"
    assert "Traceback" in life.stderr


@pytest.mark.parametrize(("code", "claims", "seen"), [("0", ["interrupted"], INTERRUPTED), ("7", [], 7)])
def test_sys_exit_after_an_interrupt_keeps_its_code(
    warden: Warden, code: str, claims: list[str], seen: int
) -> None:
    life = asked_to_end(warden, "patient:exits_when_asked", code)
    assert [each["claim"] for each in life.claims] == claims
    assert life.end() == seen


@pytest.mark.parametrize("agent", ["patient:generates", "patient:generates_async"])
def test_a_generator_is_closed_and_its_deltas_are_the_output(warden: Warden, agent: str) -> None:
    life = asked_to_end(warden, agent, deltas=3)
    assert life.claim["claim"] == "interrupted"
    assert life.claim["output"] == "".join(life.deltas)
    assert life.stdout == "closed\n"


def test_a_generator_that_will_not_close_is_left(warden: Warden) -> None:
    life = asked_to_end(warden, "patient:generates_and_will_not_close")
    assert life.claim["claim"] == "interrupted"
    assert life.claim["error"] == "RuntimeError: generator ignored GeneratorExit"


def test_an_async_agent_is_cancelled(warden: Warden) -> None:
    life = asked_to_end(warden, "patient:awaits")
    assert life.claim == {"claim": "interrupted", "kind": "async_function"}
    assert (life.stdout, life.stderr) == ("cancelled\n", "")


def test_an_async_agent_may_answer_the_cancellation(warden: Warden) -> None:
    life = asked_to_end(warden, "patient:answers_when_cancelled")
    assert life.claim["output"] == "as far as I got"


def test_an_interrupt_before_the_call_means_no_call(warden: Warden) -> None:
    for agent in ("functions:generates", "functions:awaits", "functions:returns"):
        life = warden.fork(agent)
        life.interrupt()
        life.begin()
        assert life.end() == INTERRUPTED
        assert life.events == []
        assert life.claim["claim"] == "interrupted"
        assert "output" not in life.claim


def test_no_event_is_torn_or_lost_when_an_interrupt_comes_in_the_midst(warden: Warden) -> None:
    life = warden.run("patient:mixes", "50000")
    life.hear_said("long.event")
    life.interrupt()
    life.end()
    assert [event["number"] for event in life.events] == list(range(life.claim["output"]["made"]))


# ── SIGTERM ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_sigterm_raises_in_python_code_and_finally_blocks_run_undisturbed(warden: Warden) -> None:
    """A second SIGTERM while it unwinds does nothing."""
    life = warden.run("patient:sleeps")
    life.hear_deltas()
    life.signal()
    life.hear_deltas(2)
    life.signal()
    assert life.end() == INTERRUPTED
    assert life.stdout == "unwound\n"
    assert life.claim == {"claim": "interrupted", "kind": "function"}


@pytest.mark.parametrize(
    "agent", ["patient:blocks_the_loop", "patient:has_a_busy_neighbour", "patient:awaits"]
)
def test_sigterm_leaves_an_event_loop_that_is_blocked(warden: Warden, agent: str) -> None:
    life = terminated(warden, agent)
    assert life.end() == INTERRUPTED
    assert life.stdout in ("cleaned up\n", "cancelled\n")
    assert life.claim["claim"] == "interrupted"


def test_except_exception_does_not_stop_it(warden: Warden) -> None:
    assert terminated(warden, "patient:swallows_exceptions").end() == INTERRUPTED


def test_an_agent_that_catches_it_returns_its_output(warden: Warden) -> None:
    life = terminated(warden, "patient:swallows_everything")
    assert life.claim == {"claim": "interrupted", "output": "caught: terminated", "kind": "function"}


def test_an_agents_own_handler_takes_its_place(warden: Warden) -> None:
    life = terminated(warden, "patient:has_its_own_handler")
    assert life.claim["output"] == "by my own handler"


def test_threads_of_the_agent_learn_of_it(warden: Warden) -> None:
    life = terminated(warden, "patient:tells_a_worker")
    assert life.stdout == "worker: True\n"


def test_an_agent_that_hangs_in_its_import_is_left_too(warden: Warden) -> None:
    life = warden.run("hangs_at_import:agent")
    life.hear_stdout("importing")
    life.signal()
    assert life.end() == INTERRUPTED
    assert life.stdout == "cleaned up\n"
    assert life.claim == {"claim": "interrupted"}


def test_one_that_waits_for_its_start_is_left_too(warden: Warden) -> None:
    life = warden.fork("functions:returns")
    life.wait_until_ready()
    life.signal()
    assert life.end() == INTERRUPTED
    assert life.claims == [{"claim": "interrupted"}]


def test_sigterm_breaks_off_an_emit_that_nobody_reads_and_no_line_is_torn(warden: Warden) -> None:
    """Nothing is read until it is blocked; then its output is exactly what came through."""
    life = warden.run("patient:floods")
    life.wait_until_blocked()
    life.signal()
    life.hear_stdout("cleaned up")
    assert life.end() == INTERRUPTED
    assert life.claim["claim"] == "interrupted"
    assert set(life.deltas) == {"x" * 5000}


@pytest.mark.parametrize("agent", ["functions:generates_much", "patient:mixes"])
def test_wherever_sigterm_strikes_every_line_is_whole(warden: Warden, agent: str) -> None:
    for wanted in range(1, 40):
        life = warden.run(agent, "3000")
        life.hear_events(wanted)
        life.signal()
        assert life.end() in (INTERRUPTED, 0)
        numbers = [event["number"] for event in life.events if "number" in event]
        assert numbers == list(range(len(numbers)))
        assert len(life.claims) == 1

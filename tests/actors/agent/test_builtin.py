import signal

import pytest

from runward.actors.builtin import echo

from .harness import Life, Warden

ROOM = "runward.actors.builtin"


@pytest.mark.parametrize("text", ["hi", "x" * 64, "word " * 100, "y" * 10_000, "é" * 500 + " z"])
def test_echo_answers_with_its_input_in_few_deltas(text: str) -> None:
    deltas = list(echo(text))
    assert "".join(deltas) == text
    assert len(deltas) <= 10
    assert len(deltas) == 1 or len(text) > 64


def test_count_counts_to_its_input(warden: Warden) -> None:
    life = warden.run_to_end(f"{ROOM}:count", "3", options={"interval_s": 0.001})
    assert life.deltas == ["1\n", "2\n", "3\n"]
    assert life.claim == {"claim": "completed", "output": "1\n2\n3\n", "kind": "generator"}


def test_count_goes_on_until_it_is_interrupted(warden: Warden) -> None:
    life = warden.run(f"{ROOM}:count", "for ever", options={"interval_s": 0.01})
    life.hear_deltas(3)
    life.interrupt()
    assert life.end() == 130
    assert life.claim["output"] == "".join(life.deltas)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("boom", -signal.SIGSEGV),
        ("segfault", -signal.SIGSEGV),
        ("abort", -signal.SIGABRT),
        ("kill", -signal.SIGKILL),
        ("exit", 3),
        (" Exception ", 1),
    ],
)
def test_crash_dies_in_the_way_its_input_names(warden: Warden, text: str, code: int) -> None:
    life = warden.run_to_end(f"{ROOM}:crash", text)
    assert life.end() == code
    assert [each["claim"] for each in life.claims] == (["exception"] if code == 1 else [])


def test_a_segmentation_fault_leaves_the_stack_on_stderr(warden: Warden) -> None:
    stderr = warden.run_to_end(f"{ROOM}:crash").stderr
    assert "Segmentation fault" in stderr
    assert "in _segfault" in stderr


def test_spin_is_deaf_to_all_but_a_kill(warden: Warden) -> None:
    life = warden.run(f"{ROOM}:spin")
    life.hear_deltas()
    before = cpu_ticks(life)
    life.interrupt()
    life.signal(signal.SIGTERM)
    life.signal(signal.SIGINT)
    while cpu_ticks(life) < before + 20:  # it burns on: that is its work, and the clock of this test
        assert life.lines == [{"event": "message.delta", "delta": "spinning\n"}]
    life.signal(signal.SIGKILL)
    assert life.end() == -signal.SIGKILL
    assert life.claims == []


def test_hog_holds_its_memory_until_it_is_interrupted(warden: Warden) -> None:
    life = warden.run(f"{ROOM}:hog", "50")
    life.hear_deltas()
    assert life.deltas == ["holding 50 MiB\n"]
    assert resident_bytes(life) > 50 * 2**20
    life.interrupt()
    assert life.end() == 130


def cpu_ticks(life: Life) -> int:
    with open(f"/proc/{life.pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def resident_bytes(life: Life) -> int:
    with open(f"/proc/{life.pid}/statm") as statm:
        return int(statm.read().split()[1]) * 4096

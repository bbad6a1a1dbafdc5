"""Batches between warden and supervisor, through a real server: as large as the configuration allows, no larger."""

from pathlib import Path

from tests.support.server import running
from tests.support.waiting import until

COUNT = {"entrypoint": "runward.actors.builtin:count", "options": {"interval_s": 0.0}}
SMALL = {"max_event_bytes": 4_096, "max_batch_bytes": 4_096, "max_message_bytes": 16_384}


def test_an_agent_in_a_hurry_gets_all_its_events_through_messages_that_are_small(tmp_path: Path) -> None:
    with running(tmp_path, {"events": SMALL, "agents": {"quick": COUNT}}) as server:
        run_id = server.client.start("quick", "5000")
        run = until(
            lambda: run if (run := server.client.run(run_id))["ended_at"] is not None else None,
            5.0,
            lambda: f"the end of {server.client.run(run_id)}",
        )
        assert run["last_seq"] == 5_003  # queued, started, every number, the end

"""What the server's log says of who did what, and what it never says."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from runward.http import kept_keys

from ..support.client import Client
from ..support.keys import ALICE, AUTH, OPERATOR, READER
from ..support.server import Server, agent, running
from ..support.waiting import AT_LAST_S, until

SECRETS = ("a-secret-input", "a-secret-instruction", "a-secret-reason")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = {"auth": AUTH, "agents": {"act": agent("acting", "act")}}
    with running(tmp_path_factory.mktemp("log"), config, key=OPERATOR) as server:
        yield server


def said(house: Server, **wanted: object) -> list[dict[str, Any]]:
    """The lines that say this, once there is one."""

    def look() -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in house.log.splitlines(keepends=True) if line.endswith("\n")]
        return [line for line in lines if wanted.items() <= line.items()]

    return until(look, AT_LAST_S, f"a line with {wanted}")


def test_every_change_is_told_with_the_name_of_the_key_and_the_id_of_the_request(house: Server) -> None:
    alice = house.with_key(ALICE)
    body = {"agent": "act", "input": "obeys", "instructions": SECRETS[1], "metadata": {"x": SECRETS[0]}}
    answer = alice.ask("POST", "/v1/runs", body, {"X-Request-Id": "start-1"})
    run_id = answer.json["run_id"]
    asked = {"stop": {"reason": SECRETS[2]}, "kill": {}}
    for verb, sent in asked.items():
        alice.ask("POST", f"/v1/runs/{run_id}/{verb}", sent, {"X-Request-Id": f"{verb}-1"})
    alice.ended(run_id)
    house.client.ask("DELETE", f"/v1/runs/{run_id}", headers={"X-Request-Id": "delete-1"})
    expected = {
        "start-1": ("POST /v1/runs", 202, "alice"),
        "stop-1": ("POST /v1/runs/{run_id}/stop", 200, "alice"),
        "delete-1": ("DELETE /v1/runs/{run_id}", 204, None),
    }
    for request_id, (action, status, key) in expected.items():
        (line,) = said(house, message="audit", request_id=request_id)
        assert (line["action"], line["status"], line["run_id"]) == (action, status, run_id)
        assert line["process"] == "facade 1"
        assert key is None or line["key"] == key
    (line,) = said(house, message="run cancelled", run_id=run_id)
    assert (line["process"], line["agent"]) == ("supervisor", "act")


def test_a_stop_of_many_tells_of_which(house: Server) -> None:
    client: Client = house.client
    run_ids = {client.begun("act", "obeys") for _ in range(2)}
    client.ask("POST", "/v1/runs/stop", {"all": True}, {"X-Request-Id": "all-1"})
    (line,) = said(house, message="audit", request_id="all-1")
    assert set(line["run_ids"]) == run_ids
    for run_id in run_ids:
        client.ended(run_id)


def test_who_may_not_is_told_of_and_who_only_looks_or_is_nobody_is_not(house: Server) -> None:
    house.with_key(READER).ask("POST", "/v1/runs", {"input": "x"}, {"X-Request-Id": "eve-1"})
    house.with_key("wrong").ask("POST", "/v1/runs", {"input": "x"}, {"X-Request-Id": "wrong-1"})
    house.client.ask("GET", "/v1/runs", headers={"X-Request-Id": "look-1"})
    house.client.ask("POST", "/v1/runs/stop", {"agent": "act"}, {"X-Request-Id": "last-1"})
    (line,) = said(house, message="audit", request_id="eve-1")
    assert (line["key"], line["status"]) == ("reader", 403)
    said(house, request_id="last-1")
    assert "wrong-1" not in house.log
    assert "look-1" not in house.log


def test_no_key_and_nothing_of_a_run_is_in_it(house: Server) -> None:
    house.client.ended(house.client.start("echo", SECRETS[0]))
    said(house, message="run completed")
    for secret in (*SECRETS, ALICE, READER, OPERATOR, "wrong"):
        assert secret not in house.log.replace("wrong-1", "")


def test_keys_that_are_made_and_revoked_by_command_are_told_of(house: Server) -> None:
    key, _ = kept_keys.create(house.folder / "state", "ci", "read", time.time())
    assert house.with_key(key).ask("GET", "/v1/runs").status == 200
    (made,) = said(house, action="keys", made=["ci"])
    assert made["revoked"] == []
    kept_keys.revoke(house.folder / "state", "ci")
    assert house.with_key(key).ask("GET", "/v1/runs").status == 401
    said(house, action="keys", revoked=["ci"])
    assert key not in house.log

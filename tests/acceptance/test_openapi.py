"""Thousands of requests made from `/openapi.json`, lawful and not: no answer is a 500 or other than is described.

With an operator's key, and with the key of one who must not see what others run.
"""

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from ..support.keys import ALICE, AUTH, BOB, OPERATOR
from ..support.server import Server, agent, running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SECRET = "what-bob-said-0123456789"
CASES = 40  # of each operation, kind of request and key
TIMEOUT_S = 20.0


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    agents = {"act": agent("acting", "act", work_folder="keep")}
    config = {"auth": AUTH, "agents": agents, "runs": {"interrupt_grace_s": 0.2, "terminate_grace_s": 0.2}}
    with running(tmp_path_factory.mktemp("openapi"), config, key=OPERATOR) as server:
        yield server


@pytest.fixture(autouse=True)
def _no_run_goes_on(house: Server) -> Iterator[None]:
    yield
    answer = house.client.ask("POST", "/v1/runs/stop", {"all": True, "mode": "kill"})
    assert answer.status == 200, answer.body
    house.await_no_runs()


@pytest.mark.parametrize("key", [ALICE, OPERATOR], ids=["alice", "operator"])
@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_every_answer_is_as_it_is_described(house: Server, key: str, mode: str) -> None:
    schemathesis = pytest.importorskip("schemathesis", reason="needs the fuzz extra")
    answer = house.with_key(key).ask("GET", "/openapi.json")
    schema = schemathesis.openapi.from_dict(answer.json)
    wrong: list[str] = []
    asked = itertools.count()
    for found in schema.get_all_operations():
        try:
            _try_operation(house, key, mode, found.ok(), asked)
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - all operations are tried, and all that is wrong is told
            wrong.append(f"{found.ok().label}: {_told(error)}")
    assert not wrong, "\n\n".join(wrong)
    assert next(asked) > 800


def _try_operation(house: Server, key: str, mode: str, operation: Any, asked: Iterator[int]) -> None:
    from schemathesis import GenerationMode

    caller, bob = house.with_key(key), house.with_key(BOB)
    other = bob.ended(bob.start("echo", SECRET))["run_id"]
    ids = [caller.ended(caller.start("echo", "hello"))["run_id"], caller.begun("act", "obeys"), other, None]
    cases = operation.as_strategy(generation_mode=GenerationMode(mode))

    @given(case=cases, run_id=st.sampled_from(ids))
    @settings(max_examples=CASES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def one(case: Any, run_id: str | None) -> None:
        next(asked)
        if run_id is not None and "run_id" in (case.path_parameters or {}):
            case.path_parameters["run_id"] = run_id
        _check(house, case, key, other)

    with contextlib.suppress(Unsatisfiable):  # nothing about it could be unlawful
        one()


def _check(house: Server, case: Any, key: str, other: str) -> None:
    from requests.exceptions import ReadTimeout
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    # A key that it made up is replaced by ours: what was unlawful about that only is no longer.
    made_up = any(name.lower() == "authorization" for name in case.headers or {})
    headers = {"Authorization": f"Bearer {key}"}
    if _never_ends(case):
        case.query = {**(case.query or {}), "follow": "0"}
    try:
        response = case.call(base_url=house.url, headers=headers, timeout=TIMEOUT_S)
    except ReadTimeout as error:
        raise AssertionError("no answer came") from error
    case.validate_response(
        response,
        checks=[
            not_a_server_error,
            checks.status_code_conformance,
            checks.content_type_conformance,
            checks.response_schema_conformance,
            checks.response_headers_conformance,
            *([] if made_up else [checks.negative_data_rejection]),
            checks.ignored_auth,
            checks.missing_required_header,
            checks.unsupported_method,
            checks.allow_header_conformance,
        ],
    )
    if key == ALICE:
        text = response.content.decode(errors="replace")
        assert SECRET not in text
        asked_for = other in str(case.path_parameters) + str(case.query) + str(case.body)
        assert asked_for or other not in text


def _never_ends(case: Any) -> bool:
    return "1" in str((case.query or {}).get("follow", ""))


def _told(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_told(each) for each in error.exceptions)
    return f"{type(error).__name__}: {error}"[:1500]

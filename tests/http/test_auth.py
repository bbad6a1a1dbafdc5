"""Who may do what: keys and roles over a real port, cookies and tokens as values."""

import base64
from dataclasses import replace
from pathlib import Path

import pytest

from runward.actors.messages.commands import StopRun
from runward.actors.roles import ApiKey
from runward.http.auth import Keys, OneTimeToken, Sessions, Who

from .conftest import StartFacade
from .fake_supervisor import FakeSupervisor
from .running_facade import Running, hash_of, key_of

ROUTES = [
    ("GET", "/v1/runs"),
    ("POST", "/v1/runs"),
    ("GET", "/v1/runs/{id}"),
    ("GET", "/v1/runs/{id}/events"),
    ("POST", "/v1/runs/{id}/stop"),
    ("POST", "/v1/runs/{id}/kill"),
    ("GET", "/v1/agents"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic b2xnYTo=", "key of olga", "Bearer \xff", "bearer"],
)
async def test_nothing_but_a_right_key_opens_a_route(
    facade: Running, supervisor: FakeSupervisor, method: str, path: str, header: str | None
) -> None:
    run_id = supervisor.add_run()
    headers = {} if header is None else {"Authorization": header}
    answer = await facade.ask(method, path.format(id=run_id), None, headers=headers)
    assert (answer.status, answer.code) == (401, "invalid_api_key")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert not [command for command in supervisor.heard if isinstance(command, StopRun)]


async def test_the_scheme_is_named_in_any_case(facade: Running) -> None:
    headers = {"Authorization": f"BEARER  {key_of('olga')}"}
    assert (await facade.ask("GET", "/v1/runs", None, headers=headers)).status == 200


@pytest.mark.parametrize(
    ("name", "method", "path", "status"),
    [
        ("alice", "GET", "", 200), ("alice", "GET", "/events", 200),
        ("alice", "POST", "/stop", 200), ("alice", "POST", "/kill", 200),
        ("bob", "GET", "", 404), ("bob", "GET", "/events", 404),
        ("bob", "POST", "/stop", 404), ("bob", "POST", "/kill", 404),
        ("eve", "GET", "", 200), ("eve", "GET", "/events", 200),
        ("eve", "POST", "/stop", 403), ("eve", "POST", "/kill", 403),
        ("olga", "GET", "", 200), ("olga", "GET", "/events", 200),
        ("olga", "POST", "/stop", 200), ("olga", "POST", "/kill", 200),
    ],
)  # fmt: skip
async def test_what_each_role_may_do_with_the_run_of_alice(
    facade: Running, supervisor: FakeSupervisor, name: str, method: str, path: str, status: int
) -> None:
    run_id = supervisor.add_run(owner="alice")
    async with (
        facade.session(name) as session,
        session.request(method, f"/v1/runs/{run_id}{path}") as response,
    ):
        assert response.status == status
    stops = [command for command in supervisor.heard if isinstance(command, StopRun)]
    assert len(stops) == (method == "POST" and status == 200)
    if stops:
        assert stops[0].owner == (None if name == "olga" else "alice")


async def test_what_may_not_be_seen_is_like_what_never_was(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    hidden = supervisor.add_run(owner="bob")
    never = "run_" + "f" * 32
    answers = [await facade.ask("GET", f"/v1/runs/{run_id}", "alice") for run_id in (hidden, never)]
    texts = [
        answer.body.replace(run_id.encode(), b"ID")
        for answer, run_id in zip(answers, (hidden, never), strict=True)
    ]
    assert texts[0] == texts[1]


async def test_a_key_that_may_only_read_starts_nothing(facade: Running, supervisor: FakeSupervisor) -> None:
    answer = await facade.ask("POST", "/v1/runs", "eve", json={"input": "x"})
    assert (answer.status, answer.code) == (403, "forbidden")
    assert not supervisor.inputs


async def test_lists_hold_what_the_key_may_see(facade: Running, supervisor: FakeSupervisor) -> None:
    of_alice, of_bob = supervisor.add_run(owner="alice"), supervisor.add_run(owner="bob")
    for name, expected in (("alice", [of_alice]), ("eve", [of_bob, of_alice]), ("olga", [of_bob, of_alice])):
        page = (await facade.ask("GET", "/v1/runs", name)).json
        assert [run["run_id"] for run in page["data"]] == expected, name


async def test_without_auth_everybody_operates(start_facade: StartFacade, supervisor: FakeSupervisor) -> None:
    facade = await start_facade(auth={"mode": "none"})
    run_id = supervisor.add_run(owner="alice")
    assert (await facade.ask("GET", f"/v1/runs/{run_id}", None)).status == 200
    assert (await facade.ask("POST", "/v1/runs", None, json={"input": "x"})).status == 202
    assert (await facade.ask("POST", f"/v1/runs/{run_id}/stop", None)).status == 200
    wrong = {"Authorization": "Bearer wrong"}
    assert (await facade.ask("GET", f"/v1/runs/{run_id}", None, headers=wrong)).status == 200


async def test_no_answer_holds_a_key(facade: Running) -> None:
    secret = "sk-very-secret"
    for path in ("/v1/runs", "/nope", f"/v1/runs?before={secret}"):
        answer = await facade.ask("GET", path, None, headers={"Authorization": f"Bearer {secret}"})
        assert secret.encode() not in answer.body
        assert secret not in str(answer.headers)
    raw = await facade.raw(f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization Bearer {secret}\r\n\r\n".encode())
    assert raw.startswith(b"HTTP/1.1 400 ")
    assert secret.encode() not in raw


# ── values ──────────────────────────────────────────────────────────────────────────────────────────────────────

ALICES_KEY = ApiKey("alice", "run", hash_of("secret"))
ALICE = Who("alice", "run", key_hash=ALICES_KEY.hash)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def sessions(clock: Clock, *keys: ApiKey, secret: bytes = b"s") -> Sessions:
    return Sessions(secret, 60, Keys(keys), clock)


def test_a_key_is_known_by_its_hash() -> None:
    keys = Keys([ALICES_KEY])
    assert keys.owner_of("secret") == ALICE
    assert keys.owner_of("Secret") is None
    assert keys.owner_of("") is None
    assert keys.owner_of("\udcff") is None
    assert keys.owner_of(hash_of("secret")) is None


def test_a_cookie_is_its_holders_until_it_expires() -> None:
    clock = Clock()
    room = sessions(clock, ALICES_KEY)
    cookie, expires_at = room.issue(ALICE)
    assert expires_at == 1060.0
    assert room.holder_of(cookie) == replace(ALICE, ambient=True)
    clock.now = 1060.0
    assert room.holder_of(cookie) is None


def test_a_cookie_ends_with_its_key_its_role_or_the_secret() -> None:
    clock = Clock()
    cookie, _ = sessions(clock, ALICES_KEY).issue(ALICE)
    assert sessions(clock).holder_of(cookie) is None
    assert sessions(clock, ApiKey("alice", "operate", ALICES_KEY.hash)).holder_of(cookie) is None
    assert sessions(clock, ALICES_KEY, secret=b"t").holder_of(cookie) is None
    assert sessions(clock, ALICES_KEY).holder_of(cookie) is not None


def test_a_cookie_ends_when_another_key_of_the_same_name_and_role_is_made() -> None:
    clock = Clock()
    cookie, _ = sessions(clock, ALICES_KEY).issue(ALICE)
    assert sessions(clock, ApiKey("alice", "run", hash_of("another"))).holder_of(cookie) is None
    assert not Keys([ApiKey("alice", "run", hash_of("another"))]).has(ALICE)
    assert Keys([ALICES_KEY]).has(ALICE)


def test_no_changed_cookie_is_believed() -> None:
    room = sessions(Clock(), ALICES_KEY)
    cookie, _ = room.issue(ALICE)
    payload, _, signature = cookie.partition(".")
    forged = base64.urlsafe_b64encode(b'["olga","operate",99999999999]').decode()
    for wrong in (
        "",
        ".",
        cookie[:-1],
        payload,
        f"{payload}.",
        f".{signature}",
        f"{forged}.{signature}",
        "\udcff.\udcff",
    ):
        assert room.holder_of(wrong) is None, wrong


LINK_LIFE_S = 60.0


def link_token(note: Path, age_s: float = 0.0) -> OneTimeToken:
    """As each facade has one; so long after root wrote the note."""
    return OneTimeToken(hash_of("t"), note, LINK_LIFE_S, lambda: note.stat().st_mtime + age_s)


def test_the_token_of_the_link_is_good_once_whichever_facade_is_asked(tmp_path: Path) -> None:
    note = tmp_path / "link"
    note.touch()
    one, other = link_token(note), link_token(note)
    assert one.redeem("wrong") is None
    who = one.redeem("t")
    assert who is not None
    assert who.role == "operate"
    assert one.redeem("t") is None
    assert other.redeem("t") is None


def test_the_token_of_the_link_is_good_for_a_while_only(tmp_path: Path) -> None:
    note = tmp_path / "link"
    note.touch()
    assert link_token(note, LINK_LIFE_S + 1).redeem("t") is None
    assert not note.exists()


def test_without_a_link_no_token_is_good(tmp_path: Path) -> None:
    (tmp_path / "link").touch()
    assert OneTimeToken("", tmp_path / "link", LINK_LIFE_S, lambda: 0.0).redeem("") is None
    assert link_token(tmp_path / "none").redeem("t") is None

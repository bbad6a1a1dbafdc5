"""What protects a user from other people's pages: Host, CORS, sessions by cookie, same-origin for changes."""

from http import cookies
from typing import Any

import pytest

from .conftest import StartFacade
from .fake_supervisor import FakeSupervisor
from .running_facade import TOKEN, Answer, Running, key_of

LISTED = "https://app.example"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


def cors_headers(answer: Answer) -> dict[str, str]:
    return {name: text for name, text in answer.headers.items() if name.lower().startswith("access-control-")}


# ── Host ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8642",
        "LOCALHOST.",
        "127.0.0.1:1",
        "[::1]",
        "[::1]:80",
        "box.lan",
        "Box.Lan:443",
    ],
)
async def test_our_names_are_let_in(start_facade: StartFacade, host: str) -> None:
    facade = await start_facade(http={"allowed_hosts": ("box.lan",)})
    assert (await facade.ask("GET", "/v1/runs", headers={"Host": host})).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "",
        "localhost@evil",
        "[",
        "::2",
    ],
)
async def test_other_names_are_turned_away_whatever_is_asked(facade: Running, host: str) -> None:
    for method, path in (
        ("GET", "/v1/runs"),
        ("POST", "/v1/runs"),
        ("GET", "/nope"),
        ("DELETE", "/v1/session"),
    ):
        answer = await facade.ask(method, path, headers={"Host": host})
        assert (answer.status, answer.code) == (421, "wrong_host")
    assert (await facade.ask("GET", "/health", headers={"Host": host})).status == 200


async def test_where_all_addresses_are_listened_on_any_address_is_ours(start_facade: StartFacade) -> None:
    facade = await start_facade(http={"host": "0.0.0.0"})
    assert (await facade.ask("GET", "/v1/runs", headers={"Host": "192.168.1.7:8642"})).status == 200
    assert (await facade.ask("GET", "/v1/runs", headers={"Host": "[fe80::1]"})).status == 200
    assert (await facade.ask("GET", "/v1/runs", headers={"Host": "evil.example"})).status == 421


# ── CORS ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_without_a_list_there_are_no_cors_headers(facade: Running, supervisor: FakeSupervisor) -> None:
    for method, path in (("GET", "/v1/runs"), ("GET", "/health"), ("OPTIONS", "/v1/runs"), ("GET", "/nope")):
        answer = await facade.ask(method, path, headers={"Origin": LISTED} | PREFLIGHT)
        assert cors_headers(answer) == {}
        assert "Vary" not in answer.headers


async def test_a_listed_origin_may_read_every_answer(
    start_facade: StartFacade, supervisor: FakeSupervisor
) -> None:
    facade = await start_facade(http={"cors_origins": (LISTED, "http://other.example")})
    run_id = supervisor.add_run()
    supervisor.emit(run_id, "run.completed")
    asked: list[tuple[str, str, str | None]] = [
        ("GET", "/v1/runs", "olga"), ("GET", "/v1/runs", None), ("GET", "/nope", None), ("PUT", "/v1/runs", None),
        ("GET", "/health", None), ("GET", f"/v1/runs/{run_id}/events", "olga"), ("POST", "/v1/runs", "olga"),
        ("GET", f"/v1/runs/{run_id}/events?after=1", "olga"),
    ]  # fmt: skip
    for method, path, name in asked:
        answer = await facade.ask(method, path, name, headers={"Origin": LISTED})
        assert answer.headers["Access-Control-Allow-Origin"] == LISTED, path
        assert answer.headers["Vary"] == "Origin"
        assert "X-Request-Id" in answer.headers["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_a_preflight_of_a_listed_origin_needs_no_key(start_facade: StartFacade) -> None:
    facade = await start_facade(http={"cors_origins": (LISTED,)})
    answer = await facade.ask("OPTIONS", "/v1/runs", None, headers={"Origin": LISTED} | PREFLIGHT)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == LISTED
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert "Last-Event-ID" in answer.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", LISTED + ".evil", "http://app.example", LISTED + ":1"]
)
async def test_an_origin_that_is_not_listed_gets_nothing(start_facade: StartFacade, origin: str) -> None:
    facade = await start_facade(http={"cors_origins": (LISTED,)})
    answer = await facade.ask("OPTIONS", "/v1/runs", None, headers={"Origin": origin} | PREFLIGHT)
    assert (answer.status, answer.code) == (403, "origin_not_allowed")
    assert cors_headers(answer) == {}
    answer = await facade.ask("GET", "/v1/runs", headers={"Origin": origin})
    assert answer.status == 200
    assert cors_headers(answer) == {}
    assert answer.headers["Vary"] == "Origin"


# ── sessions ────────────────────────────────────────────────────────────────────────────────────────────────────


async def begin(facade: Running, **options: Any) -> Answer:
    return await facade.ask("POST", "/v1/session", None, **options)


def cookie_of(answer: Answer) -> dict[str, str]:
    """The header that a browser would send."""
    jar = cookies.SimpleCookie(answer.headers["Set-Cookie"])
    return {"Cookie": "; ".join(f"{name}={morsel.value}" for name, morsel in jar.items())}


async def test_a_session_is_a_strict_cookie_that_scripts_cant_read(facade: Running) -> None:
    answer = await begin(facade, json={"key": key_of("alice")})
    assert answer.status == 200
    assert (answer.json["name"], answer.json["role"]) == ("alice", "run")
    attributes = {part.strip() for part in answer.headers["Set-Cookie"].split(";")[1:]}
    assert attributes == {"HttpOnly", "Max-Age=43200", "Path=/", "SameSite=Strict"}
    assert key_of("alice") not in str(answer.headers)


async def test_behind_tls_the_cookie_is_secure(start_facade: StartFacade) -> None:
    facade = await start_facade(http={"behind_tls_proxy": True})
    assert "Secure" in (await begin(facade, json={"key": key_of("alice")})).headers["Set-Cookie"]


async def test_a_cookie_is_as_good_as_its_key(facade: Running, supervisor: FakeSupervisor) -> None:
    of_alice, of_bob = supervisor.add_run(owner="alice"), supervisor.add_run(owner="bob")
    answer = await begin(facade, headers={"Authorization": f"Bearer {key_of('alice')}"})
    cookie = cookie_of(answer)
    assert (await facade.ask("GET", f"/v1/runs/{of_alice}", None, headers=cookie)).status == 200
    assert (await facade.ask("GET", f"/v1/runs/{of_bob}", None, headers=cookie)).status == 404
    wrong = cookie | {"Authorization": "Bearer wrong"}
    assert (await facade.ask("GET", f"/v1/runs/{of_alice}", None, headers=wrong)).status == 401


async def test_the_link_makes_an_operator_once(facade: Running, supervisor: FakeSupervisor) -> None:
    run_id = supervisor.add_run(owner="bob")
    answer = await begin(facade, json={"token": TOKEN})
    assert (answer.status, answer.json["role"]) == (200, "operate")
    assert (await facade.ask("GET", f"/v1/runs/{run_id}", None, headers=cookie_of(answer))).status == 200
    again = await begin(facade, json={"token": TOKEN})
    assert (again.status, again.code) == (401, "invalid_api_key")


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
async def test_no_other_page_has_its_reader_be_somebody_else(facade: Running, site: str) -> None:
    theirs = {"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": site}
    answer = await begin(facade, json={"key": key_of("alice")}, headers=theirs)
    assert (answer.status, answer.code) == (403, "cross_site_request")
    assert "Set-Cookie" not in answer.headers
    own = {"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-origin"}
    assert (await begin(facade, json={"key": key_of("alice")}, headers=own)).status == 200


@pytest.mark.parametrize("body", [{}, {"key": "wrong"}, {"token": "wrong"}, {"key": ""}, {"token": ""}])
async def test_no_session_for_nothing(facade: Running, body: dict[str, str]) -> None:
    answer = await begin(facade, json=body)
    assert answer.status == 401
    assert "Set-Cookie" not in answer.headers


async def test_the_end_of_a_session_takes_the_cookie_away(facade: Running) -> None:
    cookie = cookie_of(await begin(facade, json={"key": key_of("alice")}))
    own = cookie | {"Sec-Fetch-Site": "same-origin"}
    answer = await facade.ask("DELETE", "/v1/session", None, headers=own)
    assert answer.status == 204
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert (await facade.ask("DELETE", "/v1/session", None)).status == 204
    other = cookie | {"Sec-Fetch-Site": "cross-site"}
    assert (await facade.ask("DELETE", "/v1/session", None, headers=other)).status == 403


async def test_two_servers_on_one_machine_have_cookies_of_two_names(start_facade: StartFacade) -> None:
    names = set()
    for facade in (await start_facade(), await start_facade()):
        names |= set(
            cookies.SimpleCookie((await begin(facade, json={"key": key_of("alice")})).headers["Set-Cookie"])
        )
    assert len(names) == 2


# ── changes ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def status_of_change(facade: Running, headers: dict[str, str], name: str | None = None) -> int:
    return (await facade.ask("POST", "/v1/runs", name, json={"input": "x"}, headers=headers)).status


def signs(facade: Running) -> list[tuple[dict[str, str], bool]]:
    """What a browser says of where a request comes from, and whether that is one of our own pages."""
    own = f"http://127.0.0.1:{facade.port}"
    return [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "same-origin", "Origin": own}, True),
        ({"Origin": own}, True),
        ({"Sec-Fetch-Site": "cross-site", "Origin": own}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": f"http://127.0.0.1:{facade.port + 1}"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://["}, False),
    ]


async def test_by_cookie_only_our_own_pages_change_anything(facade: Running) -> None:
    cookie = cookie_of(await begin(facade, json={"key": key_of("alice")}))
    for headers, own in signs(facade):
        assert await status_of_change(facade, cookie | headers) == (202 if own else 403), headers
    assert await status_of_change(facade, cookie) == 403
    assert (await facade.ask("GET", "/v1/runs", None, headers=cookie)).status == 200


async def test_with_a_key_it_does_not_matter_where_the_request_comes_from(facade: Running) -> None:
    for headers, _ in signs(facade):
        assert await status_of_change(facade, headers, "alice") == 202


async def test_without_auth_other_pages_change_nothing(start_facade: StartFacade) -> None:
    facade = await start_facade(auth={"mode": "none"}, http={"cors_origins": (LISTED,)})
    for headers, own in signs(facade):
        assert await status_of_change(facade, headers) == (202 if own else 403), headers
    assert await status_of_change(facade, {}) == 202
    assert await status_of_change(facade, {"Origin": LISTED, "Sec-Fetch-Site": "cross-site"}) == 202

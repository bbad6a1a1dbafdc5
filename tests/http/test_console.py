"""`GET /`: who may see the page, what its policy lets it do, and that nothing but its own files is served."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from runward.http import console

from .conftest import StartFacade
from .fake_supervisor import FakeSupervisor
from .running_facade import Answer, Running, key_of
from .test_browsers import cookie_of

FILES = sorted(console.assets())


async def look(facade: Running, path: str, **options: Any) -> Answer:
    """As a browser does, without a key."""
    return await facade.ask("GET", path, None, **options)


class Page(HTMLParser):
    """The elements of a page: their names, attributes and, of scripts and styles, what stands in them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inline: list[str] = []
        self._within = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._within = tag

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within in ("script", "style") and data.strip():
            self.inline.append(data)


async def test_everybody_gets_the_page_and_nobody_a_run_without_a_session(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    run_id = supervisor.add_run(owner="alice")
    page = await look(facade, "/")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert run_id.encode() not in page.body
    assert (await look(facade, "/v1/runs")).status == 401
    assert (await facade.ask("HEAD", "/", None)).status == 200


async def test_the_policy_lets_the_page_do_nothing_but_what_it_needs(facade: Running) -> None:
    policy = (await look(facade, "/")).headers["Content-Security-Policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules.pop("default-src") == "'none'"
    assert "unsafe" not in policy
    assert all("*" not in rule and "http" not in rule for rule in rules.values())
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert rules["frame-ancestors"] == rules["base-uri"] == rules["trusted-types"] == "'none'"


async def test_the_page_holds_no_script_no_style_and_no_handler_of_its_own(facade: Running) -> None:
    page = Page((await look(facade, "/")).body.decode())
    assert page.inline == []
    for tag, attributes in page.elements:
        assert "style" not in attributes, (tag, attributes)
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        for name in ("src", "href"):
            address = attributes.get(name) or ""
            assert address == "" or address.startswith(("/console/", "#")), (tag, attributes)
            if address.startswith("/console/"):
                assert (await look(facade, address)).status == 200


@pytest.mark.parametrize("name", FILES)
async def test_a_file_is_sent_with_its_type_and_but_once(facade: Running, name: str) -> None:
    first = await look(facade, f"/console/{name}")
    media_type = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
    assert first.headers["Content-Type"] == f"{media_type[name.rpartition('.')[2]]}; charset=utf-8"
    assert first.headers["X-Content-Type-Options"] == "nosniff"
    assert first.headers["Cache-Control"] == "no-cache"
    etag = first.headers["ETag"]
    again = await look(facade, f"/console/{name}", headers={"If-None-Match": f'"other", {etag}'})
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", etag)
    assert "default-src 'none'" in again.headers["Content-Security-Policy"]
    changed = await look(facade, f"/console/{name}", headers={"If-None-Match": '"other"'})
    assert (changed.status, changed.body) == (200, first.body)


async def test_the_console_consists_of_what_it_imports(facade: Running) -> None:
    asked, seen = {"index.html"}, set()
    while asked:
        name = asked.pop()
        seen.add(name)
        text = (await look(facade, f"/console/{name}")).body.decode()
        found = re.findall(r'from "\./([\w.]+)"', text) + re.findall(r'"/console/([\w.]+)"', text)
        asked |= set(found) - seen
    assert seen == set(FILES)


@pytest.mark.parametrize(
    "path",
    [
        "/console/",
        "/console/..%2fconsole.py",
        "/console/%2e%2e%2fapp.py",
        "/console/../app.py",
        "/console//etc/passwd",
        "/console/%2fetc%2fpasswd",
        "/console/index.html%00.js",
        "/console/none.js",
        "/index.html",
    ],
)
async def test_nothing_else_is_served(facade: Running, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{facade.port}\r\nConnection: close\r\n\r\n"
    answer = await facade.raw(request.encode())
    assert answer.split(b" ", 2)[1] in (b"400", b"404"), answer


async def test_another_name_for_the_server_gets_no_page(facade: Running) -> None:
    assert (await look(facade, "/", headers={"Host": "evil.example"})).status == 421


async def test_agents_words_never_become_markup(facade: Running) -> None:
    for name in FILES:
        text = (await look(facade, f"/console/{name}")).body.decode()
        for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("):
            assert way not in text, (name, way)


# ── who is there ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_page_learns_who_its_session_is_of(facade: Running) -> None:
    nobody = await look(facade, "/v1/session")
    assert (nobody.status, nobody.json["name"], nobody.json["role"]) == (200, None, None)
    session = await facade.ask("POST", "/v1/session", None, json={"key": key_of("alice")})
    alice = await look(facade, "/v1/session", headers=cookie_of(session))
    assert (alice.json["name"], alice.json["role"]) == ("alice", "run")
    bad = await look(facade, "/v1/session", headers={"Cookie": f"{facade_cookie(session)}=x"})
    assert bad.json["role"] is None


async def test_without_auth_everybody_is_somebody(start_facade: StartFacade) -> None:
    facade = await start_facade(auth={"mode": "none"})
    assert (await look(facade, "/v1/session")).json["role"] == "operate"


def facade_cookie(answer: Answer) -> str:
    return cookie_of(answer)["Cookie"].partition("=")[0]

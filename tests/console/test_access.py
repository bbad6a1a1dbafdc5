"""Who can use the console: by keyboard alone, on a phone, in the dark, with a screen reader, with fewer rights."""

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from ..support.browser import watched
from ..support.server import Server, agent, running
from .axe import breaches
from .seat import KEY, Seat

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
WIDE: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}}
ROLES = {"reader": "read", "runner": "run"}


def hashed(key: str) -> str:
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With a key of each role, and some runs that ended in different ways."""
    keys = [{"name": name, "role": role, "hash": hashed(name)} for name, role in ROLES.items()]
    config = {
        "auth": {"mode": "key", "keys": keys},
        "agents": {
            "use": agent("using", "use"),
            "asks": agent("asking", "ask"),
            "keeps": agent("keeping", "keep", work_folder="keep"),
        },
    }
    with running(tmp_path_factory.mktemp("access"), config, KEY) as server:
        for way in ("exception", "segfault"):
            server.client.ended(server.client.start("crash", way))
        server.client.ended(server.client.start("echo", "hello"))
        yield server


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("device", [WIDE, PHONE], ids=["wide", "phone"])
def test_axe_finds_nothing_and_nothing_is_cut_off(
    house: Server, browser: Browser, device: dict[str, Any], colours: Any
) -> None:
    found: dict[str, list[str]] = {}

    def look(where: str) -> None:
        page = seat.page
        if wrong := breaches(page):
            found[where] = wrong
        wide, room = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide <= room, f"{where}: {wide} px wide, where there is room for {room}"

    with watched(browser, house.url, color_scheme=colours, **device) as watching:
        seat = Seat(watching, house)
        seat.page.goto(house.url)
        expect(seat.page.get_by_label("API key")).to_be_visible()
        look("login")
        seat.log_in()
        look("nothing live")
        asking = house.client.start("asks", "once May it?")
        counting = house.client.begun("count", "for ever")
        keeping = house.client.start("keeps")
        expect(seat.row(counting)).to_be_visible()
        look("live")
        seat.page.get_by_role("button", name="Stop many").click()
        look("stop many")
        seat.page.keyboard.press("Escape")
        seat.show("All")
        look("all")
        seat.open(asking)
        expect(seat.detail.get_by_role("button", name="Deny")).to_be_visible()
        look("question")
        for tab, text in {
            "Log": "Nothing was written.", "Stack": "As of", "Files": "keeps no files", "Record": asking
        }.items():  # fmt: skip
            seat.tab(tab)
            expect(seat.detail.get_by_role("tabpanel")).to_contain_text(text)
            look(tab)
        house.client.kill(asking, wait=True)
        expect(seat.receipt).to_be_visible()
        seat.detail.locator(".held summary").click()
        look("receipt")
        seat.page.get_by_role("button", name="Close").click()
        seat.open(keeping)
        seat.tab("Files")
        expect(seat.detail.get_by_role("list", name="Files").get_by_role("link")).to_have_count(3)
        look("files")
        seat.page.get_by_role("button", name="Close").click()
        seat.page.get_by_role("button", name="Containment").click()
        look("containment")
        seat.page.keyboard.press("Escape")
        seat.page.get_by_role("button", name="New run").click()
        look("new run")
        seat.page.keyboard.press("Escape")
        house.client.kill(counting, wait=True)
        watching.assert_quiet()
    assert found == {}


def test_everything_is_done_with_the_keyboard_alone(house: Server, browser: Browser) -> None:
    with watched(browser, house.url, **WIDE) as watching:
        seat = Seat(watching, house)
        page = seat.page
        page.goto(house.url)
        expect(page.get_by_label("API key")).to_be_focused()
        page.keyboard.type(KEY)
        page.keyboard.press("Enter")
        expect(page.locator("#grid")).to_be_focused()
        page.keyboard.press("n")
        expect(page.get_by_role("dialog").get_by_label("Input")).to_be_focused()
        page.keyboard.press("Shift+Tab")
        page.keyboard.type("count")
        page.keyboard.press("Tab")
        page.keyboard.type("for ever")
        page.keyboard.press("Control+Enter")
        expect(seat.detail.locator("h2")).to_be_focused()
        expect(seat.detail.locator("h2")).to_contain_text("count")
        page.keyboard.press("Escape")
        expect(page.locator("#grid")).to_be_focused()
        run_id = str(page.evaluate("document.querySelector('#grid .row.cursor').dataset.run"))
        page.keyboard.press("/")
        page.keyboard.type("nothing has this")
        expect(page.locator("#empty")).to_have_text("No run matches the filter.")
        page.keyboard.press("Control+a")
        page.keyboard.type("count run")
        page.keyboard.press("Escape")
        page.keyboard.press("Home")
        expect(page.locator("#grid")).to_have_attribute("aria-activedescendant", f"row-{run_id}")
        page.keyboard.press("Enter")
        expect(seat.detail.locator("h2")).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        expect(seat.detail.get_by_role("button", name="Stop")).to_be_focused()
        page.keyboard.press("Enter")
        expect(seat.receipt).to_contain_text("Stopped")
        page.keyboard.press("Escape")
        expect(page.locator("#grid")).to_be_focused()
        house.client.ended(run_id)
        watching.assert_quiet()


def test_what_an_agent_writes_is_text_whatever_it_writes(house: Server, browser: Browser) -> None:
    hostile = (
        "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script></pre><h1>hi"
    )
    with watched(browser, house.url, **WIDE) as watching:
        seat = Seat(watching, house)
        seat.log_in()
        run_id = house.client.start("echo", hostile, session_id=hostile)
        house.client.ended(run_id)
        seat.show("Ended")
        expect(seat.row(run_id).locator(".last")).to_contain_text("<img src=x")
        seat.open(run_id)
        expect(seat.detail.locator(".say.message")).to_have_text(hostile)
        seat.tab("Record")
        expect(seat.detail.get_by_label("Run object")).to_contain_text("</pre><h1>hi")
        assert seat.page.locator("#house img, #house h1, #house script").count() == 0
        assert seat.page.title() == "runward"
        watching.assert_quiet()


@pytest.mark.parametrize("name", ROLES)
def test_a_key_with_fewer_rights_is_offered_what_it_may_do(
    house: Server, browser: Browser, name: str
) -> None:
    of_operator = house.client.begun("count", "for ever")
    own = house.with_key("runner").begun("count", "for ever")
    with watched(browser, house.url, **WIDE) as watching:
        seat = Seat(watching, house)
        seat.log_in(name)
        seat.open(own)
        expect(seat.detail.locator(".say.message")).to_contain_text("1\n")
        if name == "reader":
            expect(seat.row(of_operator)).to_be_visible()
            expect(seat.page.get_by_role("button", name="Kill")).to_have_count(0)
            expect(seat.page.get_by_role("button", name="New run")).to_have_count(0)
        else:
            expect(seat.row(of_operator)).to_have_count(0)
            seat.press("Stop")
            expect(seat.receipt).to_contain_text("Stopped")
        watching.assert_quiet()
    for run_id in (of_operator, own):
        house.client.kill(run_id)
        house.client.ended(run_id)


def test_the_colours_are_chosen_and_remembered(house: Server, browser: Browser) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    with watched(browser, house.url, color_scheme="light", **WIDE) as watching:
        seat = Seat(watching, house)
        seat.log_in()
        light = seat.page.evaluate(ground)
        button = seat.page.get_by_role("button", name="Colours")
        button.click()
        assert seat.page.evaluate(ground) == light
        button.click()
        dark = seat.page.evaluate(ground)
        assert dark != light
        seat.page.reload()
        assert seat.page.evaluate(ground) == dark
        button.click()
        assert seat.page.evaluate(ground) == light
        watching.assert_quiet()

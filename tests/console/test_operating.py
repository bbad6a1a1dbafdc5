"""An operator at the console, in a real browser: he starts runs, sees what they do, and ends them."""

import json
import os
import re
import shutil
import signal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from ..bin.screens import at_screen
from ..support.browser import watched
from ..support.server import Server
from ..support.waiting import AT_LAST_S, until
from .seat import KEY, Seat

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def test_a_run_is_started_followed_and_stopped_and_its_receipt_is_shown(seat: Seat) -> None:
    run_id = seat.start("count", "for ever")
    said = seat.detail.locator(".say.message")
    expect(said).to_contain_text(re.compile(r"1\n2\n3"))
    expect(seat.row(run_id).locator(".mark")).to_have_text("running")
    expect(seat.row(run_id).locator(".memory span")).to_have_text(re.compile(r"^[\d.]+ MiB$"))
    expect(seat.row(run_id).locator(".rate")).to_have_text(re.compile(r"^[01]\.\d$"))
    seat.press("Stop")
    expect(seat.receipt).to_contain_text("Stopped: asked to stop, and did")
    expect(seat.receipt).to_contain_text("interrupt: it was asked to")
    expect(seat.receipt).to_contain_text(re.compile(r"Took[\d.]+ m?s"))
    expect(seat.receipt).to_contain_text("Survivorsnone")
    expect(seat.detail.locator(".mark")).to_have_text("stopped")
    run = seat.server.client.run(run_id)
    assert (run["status"], run["exit"]["survivors"]) == ("cancelled", [])


def test_what_spins_is_killed_once_that_is_confirmed(seat: Seat) -> None:
    run_id = seat.start("spin", "go")
    expect(seat.detail.locator(".say.message")).to_have_text("spinning\n")
    seat.press("Kill")
    dialog = seat.page.get_by_role("dialog", name="Kill spin")
    dialog.get_by_role("button", name="Cancel").click()
    assert seat.server.client.run(run_id)["status"] == "running"
    seat.press("Kill")
    dialog.get_by_role("button", name="Kill").click()
    expect(seat.receipt).to_contain_text("Stopped: killed")
    expect(seat.receipt).to_contain_text("kill: all of it at once")
    expect(seat.receipt).to_contain_text("SIGKILL")
    seat.show("Ended")
    expect(seat.row(run_id).locator(".last")).to_contain_text("killed · proved in")


def test_a_stop_that_is_not_heard_climbs_before_the_operators_eyes(seat: Seat) -> None:
    seat.start("use", "sleeps")
    expect(seat.detail.locator(".say.message")).to_have_text("ready")
    seat.press("Stop")
    expect(seat.detail.locator(".ladder .now")).to_have_text("Asked to stop")
    seat.press("Stop harder")
    expect(seat.receipt).to_contain_text("Stopped:")


def test_many_are_stopped_at_once(seat: Seat) -> None:
    client = seat.server.client
    counting, spinning = client.begun("count", "for ever"), [client.begun("spin") for _ in range(2)]
    expect(seat.page.locator("#live-count")).to_have_text("3")
    seat.page.get_by_role("button", name="Stop many").click()
    dialog = seat.page.get_by_role("dialog", name="Stop many runs")
    dialog.get_by_label("Which").select_option("Those of spin: 2")
    dialog.get_by_label("How").select_option("Kill them at once")
    dialog.get_by_role("button", name="Stop them").click()
    expect(seat.page.locator("#notes")).to_have_text("2 runs are stopping")
    expect(seat.page.locator("#live-count")).to_have_text("1")
    assert [client.ended(run_id)["reason"] for run_id in spinning] == ["killed", "killed"]
    assert client.run(counting)["status"] == "running"


def test_the_stack_of_an_agent_that_hangs_says_where(seat: Seat) -> None:
    run_id = seat.server.client.begun("use", "hangs_in_c")
    seat.open(run_id)
    seat.tab("Stack")
    expect(seat.detail.get_by_label("Stacks")).to_contain_text("in hangs_in_c")


def test_a_question_is_answered_by_a_button(seat: Seat) -> None:
    run_id = seat.server.client.start("asks", "once May it?")
    expect(seat.row(run_id).locator(".mark")).to_have_text("needs approval")
    seat.open(run_id)
    question = seat.detail.get_by_role("group", name="The agent asks for approval")
    expect(question).to_contain_text("May it?")
    expect(question).to_contain_text("rm -rf x")
    question.get_by_role("button", name="Allow once").click()
    expect(question).to_contain_text("Answered: Allow once")
    expect(seat.receipt).to_contain_text("Completed")
    answered = [each for each in seat.server.client.events(run_id) if each["event"] == "approval.responded"]
    assert [each["choice"] for each in answered] == ["once"]


def test_a_live_run_is_guided_and_who_takes_no_guidance_says_so(seat: Seat) -> None:
    run_id = seat.server.client.begun("talk", "hear")
    seat.open(run_id)
    line = seat.detail.get_by_label("Guide this run")
    line.fill("no")
    line.press("Enter")
    expect(seat.page.locator("#notes")).to_contain_text("guidance")
    expect(line).to_have_value("no")
    seat.watched.complaints.clear()  # Chromium's own, about the 409
    line.fill("to the left")
    line.press("Enter")
    expect(seat.receipt).to_contain_text("Completed")
    assert seat.server.client.run(run_id)["output"] == "hear: to the left"


def test_from_a_run_one_comes_to_its_child_and_back(seat: Seat) -> None:
    parent = seat.server.client.start("parent", '{"agent": "sleeper", "input": "x"}')
    seat.open(parent)
    seat.detail.locator(".blocks a").click()
    expect(seat.detail.locator("h2")).to_contain_text("sleeper")
    expect(seat.detail.locator(".say.message")).to_have_text("asleep")
    seat.detail.get_by_role("link").first.click()
    expect(seat.detail.locator("h2")).to_contain_text("parent")


def test_a_run_that_floods_its_reader_is_killed_at_once(seat: Seat) -> None:
    run_id = seat.server.client.begun("use", "floods_events")
    seat.open(run_id)
    expect(seat.detail.locator(".passed").first).to_be_visible()
    assert seat.detail.locator(".blocks").evaluate("node => node.textContent.length") < 250_000
    seat.press("Kill")
    seat.page.get_by_role("dialog").get_by_role("button", name="Kill").click()
    expect(seat.receipt).to_contain_text("Stopped: killed", timeout=5000)


def test_what_an_agent_complains_is_in_its_log(seat: Seat) -> None:
    run_id = seat.server.client.start("use", "says hello <b>there</b>")
    seat.show("All")
    seat.open(run_id)
    seat.tab("Log")
    expect(seat.detail.get_by_label("What it wrote")).to_have_text("hello <b>there</b>, complained\n")


def test_files_that_a_run_kept_are_listed_and_saved(seat: Seat) -> None:
    run_id = seat.server.client.start("keeps")
    seat.show("All")
    seat.open(run_id)
    expect(seat.receipt).to_contain_text("Completed")
    seat.tab("Files")
    files = seat.detail.get_by_role("list", name="Files").get_by_role("listitem")
    expect(files).to_have_count(3)
    expect(seat.detail.get_by_role("status")).to_have_text("3 files.")
    expect(files.nth(0)).to_contain_text("page.html24 B")
    expect(files.nth(2)).to_contain_text("zeros293 KiB")
    saved = [seat.saved(files.nth(at).get_by_role("link")) for at in range(3)]
    assert [name for name, _ in saved][::2] == ["page.html", "zeros"]
    assert [data for _, data in saved] == [b"<script>alert()</script>", b"odd", bytes(300_000)]
    assert seat.page.url == f"{seat.server.url}/#{run_id}"


def test_the_name_of_a_file_is_text_and_hides_nothing(seat: Seat) -> None:
    names = ["<img src=x onerror=alert()>", "invoice\u202efdp.exe", "two\nlines"]
    run_id = seat.server.client.start("leaves", json.dumps(names))
    seat.server.client.ended(run_id)
    seat.show("Ended")
    seat.open(run_id)
    seat.tab("Files")
    links = seat.detail.get_by_role("list", name="Files").get_by_role("link")
    expect(links).to_have_text(
        ["<img src=x onerror=alert()>", "invoice\\u{202e}fdp.exe", "two\\u{a}lines"], use_inner_text=True
    )
    assert seat.detail.locator(".files img").count() == 0
    _, data = seat.saved(links.nth(1))
    assert data.decode() == f"this is {names[1]}"


def test_that_there_are_no_files_is_said_and_why(seat: Seat) -> None:
    client = seat.server.client
    told = seat.detail.get_by_role("status")
    for run_id, why in {
        client.start("echo", "x"): "This run keeps no files: its agent is not declared with",
        client.start("leaves", "[]"): "It left no files.",
    }.items():
        client.ended(run_id)
        seat.show("Ended")
        seat.open(run_id)
        seat.tab("Files")
        expect(told).to_contain_text(why)
    shutil.rmtree(seat.server.folder / "state" / "kept" / run_id)
    seat.press("Look again")
    expect(told).to_contain_text("or they were forgotten")
    seat.watched.complaints.clear()  # Chromium's own, about the 404


def test_every_end_is_told_by_its_true_cause(seat: Seat) -> None:
    client = seat.server.client
    causes = {
        client.start("crash", "segfault"): "died of SIGSEGV",
        client.start("crash", "exception"): "RuntimeError: crashed, as asked",
        client.start("crash", "exit"): "exited with code 3",
        client.start("count", "x", limits={"wall_s": 1}): "over its time limit",
    }
    seat.show("Ended")
    for run_id, cause in causes.items():
        expect(seat.row(run_id).locator(".last")).to_contain_text(cause)


def test_the_end_of_a_facade_is_outlived_without_a_reload(house: Server, browser: Browser) -> None:
    with watched(browser, house.url) as page:
        seat = Seat(page, house)
        seat.log_in()
        run_id = seat.start("count", "for ever")
        said = seat.detail.locator(".say.message")
        expect(said).to_contain_text("2\n")
        seat.page.evaluate("window.sameAsBefore = true")
        facade = house.member("facade 1").pid
        os.kill(facade, signal.SIGKILL)
        until(lambda: house.member("facade 1").pid != facade, AT_LAST_S, "another facade")
        seen = len(said.inner_text().split())
        expect(said).to_contain_text(f"\n{seen + 3}\n")
        numbers = [int(each) for each in said.inner_text().split()]
        assert numbers == list(range(1, len(numbers) + 1)), "an event is missing, or there twice"
        expect(seat.page.locator("#link")).to_have_text("live")
        other = house.client.start("count", "for ever")
        expect(seat.row(other)).to_be_visible()
        seat.press("Stop")
        expect(seat.receipt).to_contain_text("Stopped")
        assert seat.page.evaluate("window.sameAsBefore") is True
        assert page.outside == []
        assert all("net::ERR" in each for each in page.complaints), page.complaints  # Chromium's own
        house.client.kill(other, wait=True)
        house.client.ended(run_id)


def test_what_happened_while_the_network_was_away_is_shown_when_it_is_back(
    house: Server, browser: Browser
) -> None:
    ends, goes = (house.client.begun("count", "for ever") for _ in range(2))
    with watched(browser, house.url) as page:
        seat = Seat(page, house)
        seat.log_in()
        expect(seat.row(ends)).to_be_visible()
        page.page.context.set_offline(True)  # which lets go of no stream that is there,
        facade = house.member("facade 1").pid
        os.kill(facade, signal.SIGKILL)  # and this does
        expect(seat.page.locator("#link")).not_to_have_text("live")
        until(lambda: house.client.is_healthy(), AT_LAST_S, "another facade")
        house.client.kill(ends, wait=True)
        house.client.kill(goes, wait=True)
        assert house.client.ask("DELETE", f"/v1/runs/{goes}").status == 204
        later = house.client.begun("count", "for ever")
        page.page.context.set_offline(False)
        expect(seat.row(later)).to_be_visible()
        expect(seat.row(ends)).to_have_count(0)
        expect(seat.row(goes)).to_have_count(0)
        expect(seat.page.locator("#link")).to_have_text("live")
        house.client.kill(later, wait=True)
        assert page.outside == []


def test_new_code_under_a_server_changes_nothing_for_who_looks_at_it(house: Server, browser: Browser) -> None:
    with watched(browser, house.url) as page:
        seat = Seat(page, house)
        seat.log_in()
        run_id = seat.start("count", "for ever")
        facade = house.member("facade 1").pid
        house.signal(signal.SIGUSR2)
        until(lambda: house.member("facade 1").pid != facade, AT_LAST_S, "the next facade")
        said = seat.detail.locator(".say.message")
        seen = len(said.inner_text().split())
        expect(said).to_contain_text(f"\n{seen + 3}\n")
        numbers = [int(each) for each in said.inner_text().split()]
        assert numbers == list(range(1, len(numbers) + 1)), "an event is missing, or there twice"
        seat.press("Stop")
        expect(seat.receipt).to_contain_text("Stopped")
        house.client.ended(run_id)
        assert page.outside == []


def test_the_link_that_serve_prints_at_a_terminal_logs_in_and_leaves_no_trace(
    tmp_path: Path, browser: Browser
) -> None:
    with at_screen(["serve", "--port", "0", "--state", str(tmp_path / "state")], {}) as screen:
        (link,) = re.findall(r"console: (\S+)", screen.await_showing("listening on"))
        url = link.partition("/#")[0]
        with watched(browser, url) as page:
            page.page.goto(link)
            expect(page.page.locator("#link")).to_have_text("live")
            assert page.page.url == f"{url}/"
            page.assert_quiet()
        with watched(browser, url) as page:
            page.page.goto(link)
            expect(page.page.get_by_role("alert")).to_contain_text("Use a key instead")
        screen.press("\x03")
        assert screen.await_end() == 0


def test_a_wrong_key_is_told_so_and_logging_out_forgets_all(seat: Seat) -> None:
    run_id = seat.server.client.start("count", "for ever")
    expect(seat.row(run_id)).to_be_visible()
    seat.page.get_by_role("button", name="Log out").click()
    expect(seat.page.get_by_label("API key")).to_be_visible()
    assert run_id not in seat.page.content()
    seat.watched.assert_quiet()
    seat.page.get_by_label("API key").fill("wrong")
    seat.page.keyboard.press("Enter")
    expect(seat.page.get_by_role("alert")).to_contain_text("Missing or invalid API key")
    seat.watched.complaints.clear()  # Chromium's own, about the 401
    seat.page.get_by_label("API key").fill(KEY)
    seat.page.keyboard.press("Enter")
    expect(seat.row(run_id)).to_be_visible()

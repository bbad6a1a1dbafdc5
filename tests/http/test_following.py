"""Following the list over a real port: news that is lost, clients that come back, silence, the end of a facade."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec

from runward.actors.records import Status

from .conftest import StartFacade
from .fake_supervisor import FakeSupervisor
from .running_facade import Running


class Listing:
    """The blocks of one stream, as they come."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def block(self) -> list[str]:
        """The lines of the next block; none at the end."""
        block = await self.response.content.readuntil(b"\n\n")
        return block.decode().split("\n")[:-2]

    async def next(self) -> tuple[int, dict[str, Any]]:
        """The number of the next change, and the run."""
        while (block := await self.block()) and block[0].startswith(":"):
            pass
        id_line, data_line = block
        return int(id_line.removeprefix("id: ")), msgspec.json.decode(data_line.removeprefix("data: "))


@asynccontextmanager
async def follow(
    facade: Running, query: str = "", name: str = "olga", **headers: str
) -> AsyncIterator[Listing]:
    given = {name.replace("_", "-"): text for name, text in headers.items()}
    path = f"/v1/runs?follow=1{query}"
    async with facade.session(name) as session, session.get(path, headers=given) as response:
        assert response.status == 200, await response.text()
        listing = Listing(response)
        assert await listing.block() == ["retry: 1000"]
        yield listing


async def begun(listing: Listing) -> int:
    """The number after which it tells."""
    (line,) = await listing.block()
    return int(line.removeprefix("id: "))


async def test_it_begins_with_a_number_to_come_back_with_and_then_tells_what_changes(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    supervisor.add_run()
    async with follow(facade) as listing:
        assert await begun(listing) == 1
        run_id = supervisor.add_run()
        number, run = await listing.next()
        assert (number, run["object"], run["run_id"], run["status"]) == (2, "run", run_id, "queued")
        supervisor.save(run_id, status=Status.RUNNING)
        supervisor.emit(run_id, "run.completed")
        while run["status"] != "completed":
            number, run = await listing.next()
    assert number == 4


async def test_news_that_the_feed_dropped_is_found_in_the_journal(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    supervisor.publishing = False
    async with follow(facade) as listing:
        await begun(listing)
        run_id = supervisor.add_run()
        assert (await listing.next())[1]["run_id"] == run_id
        supervisor.emit(run_id, "run.failed")
        assert (await listing.next())[1]["status"] == "failed"


async def test_who_comes_back_is_told_once_of_each_run_that_changed(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    run_ids = [supervisor.add_run() for _ in range(250)]
    supervisor.save(run_ids[0], status=Status.RUNNING)
    async with follow(facade, Last_Event_ID="1") as listing:
        assert await begun(listing) == 1
        told = [await listing.next() for _ in run_ids]
    assert [run["run_id"] for _, run in told] == [*run_ids[1:], run_ids[0]]
    assert [number for number, _ in told] == list(range(2, 252))


async def test_a_number_that_the_journal_lost_counts_as_now(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    supervisor.add_run()
    async with follow(facade, "&after=99") as listing:
        assert await begun(listing) == 1
        run_id = supervisor.add_run()
        assert (await listing.next())[1]["run_id"] == run_id


async def test_only_what_one_may_see_and_asked_for_is_told(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    async with follow(facade, "&status=running&agent=echo", "alice") as listing:
        await begun(listing)
        for owner, agent in (("bob", "echo"), ("alice", "other"), ("alice", "echo")):
            run_id = supervisor.add_run(owner=owner, agent=agent)
            supervisor.save(run_id, status=Status.RUNNING)
        told = (await listing.next())[1]
    assert (told["run_id"], told["status"]) == (run_id, "running")


async def test_silence_is_broken_by_comments(start_facade: StartFacade) -> None:
    facade = await start_facade(http={"keepalive_s": 0.05})
    async with follow(facade) as listing:
        await begun(listing)
        assert [await listing.block() for _ in range(2)] == [[": keepalive"]] * 2


async def test_a_facade_that_goes_ends_the_stream(facade: Running) -> None:
    async with follow(facade) as listing:
        await begun(listing)
        facade.control.close()
        assert await listing.block() == []
    await facade.task


async def test_a_head_request_is_answered_without_a_stream(facade: Running) -> None:
    answer = await facade.ask("HEAD", "/v1/runs?follow=1")
    assert (answer.status, answer.headers["Content-Type"], answer.body) == (200, "text/event-stream", b"")

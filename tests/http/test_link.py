"""The line to the supervisor: answers, refusals, silence, and a supervisor that comes back."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from runward.actors.errors import AskTimeout, BadMessage, Refused
from runward.actors.mailbox import Post
from runward.actors.messages.answers import Agents, Pong, Refusal, StopAccepted
from runward.actors.messages.commands import Ping, StopRun
from runward.actors.messages.feed import Published
from runward.http.link import Link, new_id

from .eventually import DEADLINE_S, until
from .fake_supervisor import FakeSupervisor


@pytest.fixture
async def link(supervisor: FakeSupervisor) -> AsyncIterator[Link]:
    post = Post(4 << 20)
    link = Link(post, supervisor.paths, supervisor.facade_keys, supervisor.keys.public)
    yield link
    link.close()
    post.close()


async def test_each_of_many_asks_gets_its_own_answer(link: Link) -> None:
    pings = [Ping(new_id()) for _ in range(500)]
    answers = await asyncio.gather(*(link.ask(ping, Pong, DEADLINE_S) for ping in pings))
    assert [answer.id for answer in answers] == [ping.id for ping in pings]


async def test_a_refusal_is_raised_with_all_it_says(link: Link, supervisor: FakeSupervisor) -> None:
    supervisor.refusing[StopRun] = Refusal("", "run_ended", "over", "run_id", "failed", 2.0)
    with pytest.raises(Refused, match="over") as caught:
        await link.ask(StopRun(new_id(), "run_1", None), StopAccepted, DEADLINE_S)
    refused = caught.value
    assert (refused.code, refused.param, refused.status, refused.retry_after_s) == (
        "run_ended",
        "run_id",
        "failed",
        2.0,
    )


async def test_silence_is_a_timeout_after_a_second_sending(link: Link, supervisor: FakeSupervisor) -> None:
    supervisor.silent = True
    ping = Ping(new_id())
    with pytest.raises(AskTimeout):
        await link.ask(ping, Pong, 0.1)
    assert supervisor.heard == [ping, ping]


async def test_the_second_sending_may_be_the_one_that_is_answered(
    link: Link, supervisor: FakeSupervisor
) -> None:
    supervisor.silent = True
    asked = asyncio.ensure_future(link.ask(Ping(new_id()), Pong, 0.4))
    await until(lambda: bool(supervisor.heard), "the first sending")
    supervisor.silent = False
    assert isinstance(await asked, Pong)


async def test_what_a_supervisor_left_unanswered_is_sent_to_the_next_at_once(
    link: Link, supervisor: FakeSupervisor
) -> None:
    supervisor.silent = True
    ping = Ping(new_id())
    asked = asyncio.ensure_future(link.ask(ping, Pong, 2 * DEADLINE_S))
    await until(lambda: bool(supervisor.heard), "the first sending")
    supervisor.silent = False
    supervisor.restart()
    assert isinstance(await asyncio.wait_for(asked, DEADLINE_S / 2), Pong)
    assert supervisor.heard == [ping, ping]


async def test_an_answer_of_the_wrong_kind_is_refused(link: Link) -> None:
    with pytest.raises(BadMessage):
        await link.ask(Ping(new_id()), Agents, DEADLINE_S)


async def test_a_subscriber_is_welcomed_and_hears_until_it_leaves(
    link: Link, supervisor: FakeSupervisor
) -> None:
    heard: list[tuple[str, Published, bytes]] = []
    bursts: list[int] = []
    link.listen(lambda *message: heard.append(message), lambda: bursts.append(len(heard)))
    run_id = supervisor.add_run()
    supervisor.emit_many(run_id, 2)
    link.subscribe(run_id)
    await until(lambda: len(heard) == 1, "the welcome")
    assert heard[0] == (run_id, Published(3, 0), b"")
    supervisor.emit(run_id, "run.completed")
    await until(lambda: len(heard) == 2, "the second message")
    assert heard[1][1] == Published(3, 1, True)
    assert heard[1][2].startswith(b'{"event":"run.completed"')
    assert bursts[-1] == 2
    link.unsubscribe(run_id)


async def test_a_supervisor_that_comes_back_is_found_and_welcomes_again(
    link: Link, supervisor: FakeSupervisor
) -> None:
    heard: list[Published] = []
    link.listen(lambda _run, note, _lines: heard.append(note), lambda: None)
    run_id = supervisor.add_run()
    link.subscribe(run_id)
    await until(lambda: len(heard) == 1, "the welcome")
    supervisor.restart()
    await until(lambda: len(heard) == 2, "the second message")
    assert isinstance(await link.ask(Ping(new_id()), Pong, DEADLINE_S), Pong)

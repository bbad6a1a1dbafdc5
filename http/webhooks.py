"""Tells webhooks of the ends of runs. One facade does it, the first; what it has to do is in the journal.

So nothing is lost with it: what it was telling when it died, the next one tells (again, perhaps: at least once, and
always under the same `webhook-id`). One that answers slowly, or not at all, holds up few others and no run.
"""

import asyncio
import time
from collections import Counter

import aiohttp
import msgspec
from aiohttp import hdrs
from yarl import URL

from .. import __version__
from ..actors.errors import RunwardError
from ..actors.messages.answers import DeliveryNoted
from ..actors.messages.commands import NoteDelivery
from ..actors.records import RunRecord
from . import signing, tls, views, webhook_address
from .context import Facade
from .link import new_id

MOST_AT_ONCE = 16
MOST_OF_A_HOST = 4
LOOKED_AT = 256
GATHER_S = 0.05  # ends within this are looked for at once
LONGEST_REST_S = 60.0  # clocks are set, now and then
NOTE_AGAIN_S = 1.0
_GONE = 410
_READ_BYTES = 65_536


class Deliverer:
    """What is under way in this facade. A `changes.Follower`."""

    def __init__(self, facade: Facade, secrets: list[bytes]) -> None:
        self._facade = facade
        self._settings = facade.settings.webhooks
        self._secrets = secrets
        self._allowed = webhook_address.reachable(self._settings)
        self._news = asyncio.Event()
        self._busy: dict[str, str] = {}  # run → host

    def rouse(self) -> None:
        """A run has changed, or one that was told of is off our hands."""
        self._news.set()

    def end(self) -> None:
        """This facade goes: what is under way is broken off with the loop's task, and told by the next one."""

    async def keep_delivering(self) -> None:
        """For ever: tell what is due, then wait for the next."""
        connector = aiohttp.TCPConnector(
            resolver=webhook_address.JudgingResolver(self._allowed), use_dns_cache=False, force_close=True
        )
        async with (
            aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=self._settings.timeout_s),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            ) as session,
            asyncio.TaskGroup() as telling,
        ):
            with self._facade.changes.followed_by(self):
                while True:
                    self._news.clear()
                    for record in self._next():
                        telling.create_task(self._see_to(session, record))
                    await self._rest()

    def _next(self) -> list[RunRecord]:
        """Those that are due and have their turn."""
        free = MOST_AT_ONCE - len(self._busy)
        if free <= 0:
            return []
        of_host = Counter(self._busy.values())
        chosen: list[RunRecord] = []
        for record in self._facade.journal.due(time.time(), LOOKED_AT):
            host = _host(record)
            if record.run_id not in self._busy and of_host[host] < MOST_OF_A_HOST and len(chosen) < free:
                of_host[host] += 1
                self._busy[record.run_id] = host
                chosen.append(record)
        return chosen

    async def _rest(self) -> None:
        """Until there is news, or the next one is due."""
        now = time.time()
        due = self._facade.journal.next_due(now)
        rest_s = LONGEST_REST_S if due is None else min(due - now, LONGEST_REST_S)
        try:
            async with asyncio.timeout(max(rest_s, GATHER_S)):
                await self._news.wait()
            await asyncio.sleep(GATHER_S)
        except TimeoutError:
            pass

    async def _see_to(self, session: aiohttp.ClientSession, record: RunRecord) -> None:
        """Tell it once, and see that the journal has what came of it: until then it is not told again."""
        assert record.webhook is not None
        try:
            error, final = await self._tell(session, record)
            note = NoteDelivery(new_id(), record.run_id, record.webhook.tries + 1, error, final)
            await self._note(note)
        finally:
            del self._busy[record.run_id]
            self.rouse()

    async def _note(self, note: NoteDelivery) -> None:
        """Ask until it is answered: a supervisor that has died is followed by another."""
        timeout_s = self._facade.settings.supervision.command_timeout_s
        while True:
            try:
                await self._facade.link.ask(note, DeliveryNoted, timeout_s)
            except RunwardError:
                await asyncio.sleep(NOTE_AGAIN_S)
            else:
                return

    async def _tell(self, session: aiohttp.ClientSession, record: RunRecord) -> tuple[str | None, bool]:
        """Why it was told in vain, and whether there is no use in trying again."""
        assert record.webhook is not None
        url = webhook_address.parse(record.webhook.url)
        if url is None:
            return "it is no URL", True
        try:
            webhook_address.check_literal(url, self._allowed)
            return await self._post(session, url, record)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return _words(error, self._settings.timeout_s), False

    async def _post(
        self, session: aiohttp.ClientSession, url: URL, record: RunRecord
    ) -> tuple[str | None, bool]:
        view = (await views.of_all(self._facade.journal, [record]))[0]
        body = msgspec.json.encode(view)
        headers = {
            hdrs.CONTENT_TYPE: "application/json",
            hdrs.USER_AGENT: f"runward/{__version__}",
            "Runward-Event": record.last_event or "",
            **signing.headers(record.run_id, time.time(), body, self._secrets),
        }
        secured = await asyncio.to_thread(tls.verifying) if url.scheme == "https" else True
        async with session.post(
            url, data=body, headers=headers, allow_redirects=False, ssl=secured
        ) as response:
            await response.content.read(_READ_BYTES)
            if 200 <= response.status < 300:
                return None, False
            return f"it answered {response.status}", response.status == _GONE


def _host(record: RunRecord) -> str:
    url = None if record.webhook is None else webhook_address.parse(record.webhook.url)
    return "" if url is None else f"{url.raw_host}:{url.port}"


def _words(error: BaseException, timeout_s: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout_s:g} s"
    if isinstance(error, aiohttp.ClientResponseError | aiohttp.ClientPayloadError):
        return "what it answered is not HTTP"  # aiohttp quotes that, and the URL with its query
    cause = error.__cause__ if isinstance(error.__cause__, webhook_address.WebhookRefused) else error
    return str(cause) or type(cause).__name__

"""How mail leaves, by a running server and hosts over real sockets.

Who asks to be left in peace gets less, who blocks one address of ours gets the message from the other,
and a provider gets no more than it may.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.unit.web.site import Site, running

RECORDS = {
    "there.test": {"MX": ["10 mx.there.test"]},
    "one.test": {"MX": ["10 mx.metered.test"]},
    "two.test": {"MX": ["10 mx.metered.test"]},
    "mx.there.test": {"A": ["127.0.0.1"]},
    "mx.metered.test": {"A": ["127.0.0.1"]},
}
OK = "250 2.0.0 Ok"
SLOW = "450 4.7.0 Too much mail from you, slow down"
BLOCKED = "554 5.7.1 Service unavailable; Client host blocked using zen.spamhaus.org"


class Host:
    """A server that answers RCPT as `answer` says of the client's address, and keeps what it took."""

    def __init__(self) -> None:
        self.answer: Callable[[str], str] = lambda peer: OK
        self.taken: list[tuple[float, str]] = []
        self.refused: list[str] = []
        self._writers: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")[0]
        self._writers.add(writer)

        def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())

        say("220 mx.test")
        while line := await reader.readline():
            match line[:4].upper():
                case b"EHLO":
                    say("250 mx.test")
                case b"RCPT":
                    answer = self.answer(peer)
                    if answer != OK:
                        self.refused.append(peer)
                    say(answer)
                case b"DATA":
                    say("354 go on")
                    while await reader.readline() != b".\r\n":
                        pass
                    self.taken.append((time.monotonic(), peer))
                    say(OK)
                case b"QUIT":
                    say("221 bye")
                    break
                case _:
                    say(OK)
        writer.close()

    async def close(self) -> None:
        """Close what is still open."""
        for writer in self._writers:
            writer.close()


@asynccontextmanager
async def sending(directory: Path, **sections: Any) -> AsyncIterator[tuple[Site, Host]]:
    """Run a server whose mail for all domains of `RECORDS` goes to a host."""
    host = Host()
    server = await asyncio.start_server(host.serve, "127.0.0.1", 0)
    delivery = {
        "port": server.sockets[0].getsockname()[1],
        "allow_private": True,
        "tls": "none",
        "dane": False,
        "mta_sts": False,
    }
    sections["delivery"] = delivery | sections.get("delivery", {})
    try:
        async with running(directory, records=RECORDS, **sections) as site:
            yield site, host
    finally:
        await host.close()
        server.close()


async def send(site: Site, *to: str) -> list[str]:
    """Hand messages in as a batch, one for each recipient; return their ids."""
    asked = [{"from": "ann@here.test", "to": each, "text": "x"} for each in to]
    response = await site.client.post("/api/v1/messages/batch", json=asked)
    return [each["receipt"]["id"] for each in response.json()]


async def journey(site: Site, number: str) -> list[tuple[str, str]]:
    """Return the journey of a message, once it has ended or waits for another try."""
    until = time.monotonic() + 20
    while True:
        found = (await site.client.get(f"/api/v1/messages/{number}")).json()
        (delivery,) = found["deliveries"]
        if delivery["state"] in ("delivered", "bounced", "expired") or (
            delivery["state"] == "due" and delivery["attempts"]
        ):
            return [(line["what"], line["text"]) for line in found["journey"]]
        assert time.monotonic() < until, found
        await asyncio.sleep(0.05)


async def test_who_asks_to_slow_down_gets_less(tmp_path: Path) -> None:
    queue = {"concurrency_initial": 1, "retry_first_seconds": 0.1}
    async with sending(tmp_path, queue=queue) as (site, host):
        host.answer = lambda peer: OK if host.refused else SLOW
        (first,) = await send(site, "user@there.test")
        lines = await journey(site, first)
        (words,) = [text for what, text in lines if what == "slow"]
        assert words == "there.test asks us to slow down: 60 messages a minute from now on"
        others = await send(site, *(f"u{number}@there.test" for number in range(3)))
        for number in (first, *others):
            for _ in range(400):
                if (await journey(site, number))[-1][0] == "delivered":
                    break
                await asyncio.sleep(0.05)
        assert len(host.taken) == 4
        at = [moment for moment, _ in host.taken]
        assert at[-1] - at[0] > 2.5, "one a second, not all at once"


async def test_a_provider_gets_no_more_than_it_may_over_all_its_domains(tmp_path: Path) -> None:
    providers = {"metered": {"hosts": ["metered.test"], "per_minute": 60}}
    async with sending(tmp_path, providers=providers) as (site, host):
        begun = time.monotonic()
        slow = await send(site, "a@one.test", "b@two.test", "c@one.test", "d@two.test")
        free = await send(site, *(f"u{number}@there.test" for number in range(20)))
        for number in free:
            assert (await journey(site, number))[-1][0] == "delivered"
        assert len(host.taken) < 24, "others do not wait for it"
        for number in slow:
            assert (await journey(site, number))[-1][0] == "delivered"
        assert len(host.taken) == 24
        assert host.taken[-1][0] - begun > 2.5


@pytest.mark.parametrize("reply", [BLOCKED, BLOCKED.replace("554 5.7.1", "421 4.7.1")])
async def test_where_one_address_is_blocked_the_message_leaves_from_the_other(
    tmp_path: Path, reply: str
) -> None:
    async with sending(
        tmp_path,
        sources={"main": {"addresses": ["127.0.0.2 out1.here.test", "127.0.0.3 out2.here.test"]}},
        delivery={"sources": "main"},
    ) as (site, host):
        host.answer = lambda peer: OK if host.refused and peer not in host.refused else reply
        (number,) = await send(site, "user@there.test")
        lines = await journey(site, number)
        assert lines[-1][0] == "delivered", lines
        (words,) = [text for what, text in lines if what == "source"]
        assert words.startswith(f"{host.refused[0]} is blocked by there.test: {reply[:9]}")
        for _ in range(3):  # the blocked one is not asked again for a while
            (number,) = await send(site, "user@there.test")
            assert (await journey(site, number))[-1][0] == "delivered"
        assert len(host.refused) == 1
        assert {*host.refused, *(peer for _, peer in host.taken)} == {"127.0.0.2", "127.0.0.3"}
        assert len({peer for _, peer in host.taken}) == 1

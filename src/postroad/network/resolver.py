"""`ports.Resolver` over UDP with TCP for what is too long, with a cache.

Everything is bounded: the time for a question, the length of CNAME chains, records per answer, cached
answers, questions under way. Equal questions asked at the same time are asked once. Whatever goes
wrong is an answer of status FAILED with the reason in words; nothing is raised.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeAlias

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
from msgspec import Struct
from msgspec.structs import replace

from postroad.model.tally import SECONDS, Histogram
from postroad.network.answers import Bounds, Chase, read_answer
from postroad.network.exchange import ExchangeFailed, exchange
from postroad.network.nameservers import Nameserver, nameservers_from_file
from postroad.ports import Answer, AnswerStatus

_Key: TypeAlias = tuple[str, str]

_WORDS = {
    AnswerStatus.FOUND: "found",
    AnswerStatus.NO_NAME: "no-name",
    AnswerStatus.NO_DATA: "no-data",
    AnswerStatus.FAILED: "failed",
}
_GOOD_RCODES = (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)


class ResolverSettings(Struct, frozen=True):
    """Limits of the resolver. No name servers given: those of /etc/resolv.conf.

    `timeout_seconds` is for one try of one server; every server is tried `rounds` times, all within
    `total_seconds`. `failure_seconds` is how long a failure is remembered (RFC 2308 §7).
    """

    nameservers: tuple[Nameserver, ...] = ()
    timeout_seconds: float = 3.0
    rounds: int = 2
    total_seconds: float = 15.0
    cache_entries: int = 20_000
    max_ttl_seconds: float = 86_400.0
    max_negative_ttl_seconds: float = 10_800.0  # RFC 2308 §5
    failure_seconds: float = 2.0
    max_under_way: int = 256
    bounds: Bounds = Bounds()


class DnsResolver:
    """Asks recursive name servers (RFC 1035, RFC 6891), caches what they say (RFC 2308)."""

    def __init__(
        self,
        settings: ResolverSettings | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings or ResolverSettings()
        self._servers: Sequence[Nameserver] = self._settings.nameservers or nameservers_from_file()
        self._monotonic = monotonic
        self._cache: dict[_Key, tuple[float, Answer]] = {}
        self._under_way: dict[_Key, asyncio.Task[Answer]] = {}
        self._slots = asyncio.Semaphore(self._settings.max_under_way)
        self.asked: Counter[str] = Counter()  # questions to name servers, by status
        self.seconds = Histogram(SECONDS)
        self._first = 0  # the server that answered last: a dead one costs its time-out once

    async def lookup(self, name: str, rdtype: str) -> Answer:
        """Ask for the records of `rdtype`; the answer's `ttl` is what is left of it."""
        key = (name, rdtype)
        cached = self._cache.get(key)
        if cached is not None:
            left = cached[0] - self._monotonic()
            if left > 0:
                return replace(cached[1], ttl=left)
            del self._cache[key]
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(
                self._ask(name, rdtype), name=f"dns {rdtype} {name}"
            )
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        # Shielded: one asker that gives up must not take the answer from the others.
        return await asyncio.shield(task)

    def flush(self) -> None:
        """Forget all cached answers."""
        self._cache.clear()

    async def close(self) -> None:
        """End the questions under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, name: str, rdtype: str) -> Answer:
        began = self._monotonic()
        try:
            async with asyncio.timeout(self._settings.total_seconds), self._slots:
                answer = await self._chase(name, rdtype)
        except TimeoutError:
            answer = Answer(
                name,
                rdtype,
                AnswerStatus.FAILED,
                detail=f"no answer within {self._settings.total_seconds:g} s",
            )
        if answer.status is AnswerStatus.FAILED:
            answer = replace(answer, ttl=self._settings.failure_seconds)
        self.asked[_WORDS[answer.status]] += 1
        self.seconds.observe(self._monotonic() - began)
        self._remember((name, rdtype), answer)
        return answer

    def _remember(self, key: _Key, answer: Answer) -> None:
        if answer.ttl <= 0:
            return
        cache = self._cache
        if len(cache) >= self._settings.cache_entries:
            # The oldest entry; popular names come back at once, so age serves as well as use.
            del cache[next(iter(cache))]
        cache[key] = (self._monotonic() + answer.ttl, answer)

    async def _chase(self, name: str, rdtype: str) -> Answer:
        """Ask, and ask on where an answer ends in a CNAME whose target it does not tell."""
        try:
            question = dns.name.from_text(name)
            wanted = dns.rdatatype.from_text(rdtype)
        except (dns.exception.DNSException, ValueError) as error:
            return Answer(
                name, rdtype, AnswerStatus.NO_NAME, detail=f"not a name of the DNS: {error}"
            )
        chase = Chase(name, rdtype, question, wanted)
        while True:
            try:
                response, server = await self._query(chase.target, wanted)
            except ExchangeFailed as error:
                return chase.failed(str(error))
            answer = read_answer(chase, response, self._settings.bounds)
            if answer is not None:
                return self._finish(answer, server)
            # `read_answer` moved chase.target on, and gives up after a bounded number of CNAMEs.

    def _finish(self, answer: Answer, server: Nameserver) -> Answer:
        negative = answer.status is not AnswerStatus.FOUND
        limit = (
            self._settings.max_negative_ttl_seconds if negative else self._settings.max_ttl_seconds
        )
        return replace(
            answer,
            ttl=min(answer.ttl, limit),
            authenticated=answer.authenticated and server.trusted,
        )

    async def _query(
        self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType
    ) -> tuple[dns.message.Message, Nameserver]:
        """Go round the servers until one answers. Raises `ExchangeFailed` telling the last failure."""
        settings = self._settings
        servers = self._servers
        failure = "no name server configured"
        for turn in range(settings.rounds * len(servers)):
            index = (self._first + turn) % len(servers)
            server = servers[index]
            try:
                response = await exchange(name, rdtype, server, settings.timeout_seconds)
            except ExchangeFailed as error:
                failure = f"name server {server}: {error}"
                continue
            rcode = response.rcode()
            if rcode in _GOOD_RCODES:
                self._first = index
                return response, server
            failure = f"name server {server} answered {dns.rcode.to_text(rcode)}"
        raise ExchangeFailed(failure)

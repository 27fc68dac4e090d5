"""A DNS from a table, with bad days: SERVFAIL, time-outs, and answers that are late."""

import asyncio
from collections.abc import Callable
from random import Random

from postroad.ports import Answer, AnswerStatus


class Names:
    """All zones. `failing` is how likely a question is not answered."""

    def __init__(self, random: Random, count: Callable[[str], None]) -> None:
        self.random = random
        self.failing = 0.0
        self.table: dict[tuple[str, str], tuple[str, ...]] = {}
        self.known: set[str] = set()
        self.count = count

    def add(self, name: str, rdtype: str, *records: str) -> None:
        """Add the records of a name."""
        self.table[name, rdtype] = records
        self.known.add(name)

    def host(self) -> "Names":
        """Return the resolver of one process."""
        return self

    async def lookup(self, name: str, rdtype: str) -> Answer:
        random = self.random
        if self.failing and random.random() < self.failing:
            if random.random() < 0.5:
                self.count("dns time-out")
                await asyncio.sleep(15.0)
                return Answer(name, rdtype, AnswerStatus.FAILED, detail="timed out")
            self.count("servfail")
            return Answer(name, rdtype, AnswerStatus.FAILED, detail="SERVFAIL")
        await asyncio.sleep(0.002)
        ttl = 60.0 if random.random() < 0.5 else 3600.0
        records = self.table.get((name, rdtype))
        if records is not None:
            return Answer(name, rdtype, AnswerStatus.FOUND, records, ttl, name)
        status = AnswerStatus.NO_DATA if name in self.known else AnswerStatus.NO_NAME
        return Answer(name, rdtype, status, (), ttl, name)

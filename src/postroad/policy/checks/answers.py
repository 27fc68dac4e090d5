"""Answers of the DNS, asked for all at once and waited for together, for code that takes one by one.

Whoever sends us a message chooses the names that are looked up for it. Asked one after the other, a few
whose servers are silent would take all the time that a check has, and hold up mail that another name
proves.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from postroad.policy import eager
from postroad.ports import Answer, AnswerStatus, Resolver

Question: TypeAlias = tuple[str, str]
"""A name and a type of records."""


class Answers:
    """A `ports.Resolver` that knows some answers, and asks another for the rest."""

    def __init__(self, known: Mapping[Question, Answer], resolver: Resolver) -> None:
        self._known = known
        self._resolver = resolver

    async def lookup(self, name: str, rdtype: str) -> Answer:
        """Return what is known, else ask."""
        return self._known.get((name, rdtype)) or await self._resolver.lookup(name, rdtype)


async def answers_to(questions: Iterable[Question], resolver: Resolver, seconds: float) -> Answers:
    """Ask all; what has no answer in so many seconds has failed, for now."""
    loop = asyncio.get_running_loop()
    asked = {each: eager.start(resolver.lookup(*each), loop) for each in dict.fromkeys(questions)}
    waiting = [each for each in asked.values() if isinstance(each, asyncio.Task)]
    if waiting:
        try:
            await asyncio.wait(waiting, timeout=seconds)
        finally:
            for task in waiting:
                task.cancel()  # no more than a word to those that are done
    return Answers(
        {
            (name, rdtype): each.result()
            if not isinstance(each, asyncio.Task) or (each.done() and not each.cancelled())
            else Answer(name, rdtype, AnswerStatus.FAILED, detail=f"no answer within {seconds:g} s")
            for (name, rdtype), each in asked.items()
        },
        resolver,
    )

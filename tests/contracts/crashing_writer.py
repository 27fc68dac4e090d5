"""A process that accepts and ends messages until it is killed, and says what was acknowledged.

Run by `test_crash`: ``python -m tests.contracts.crashing_writer DIRECTORY FIRST_ID [URL]``. Each line of
its output is written after the commit it speaks of returned.
"""

import asyncio
import os
import sys
from pathlib import Path

from postroad.model import DeliveryState
from postroad.storage.postgres import PostgresStore
from postroad.storage.sqlite.store import SqliteStore
from tests.contracts.stores import (
    ANN,
    FAR,
    INLINE_MAX,
    accept,
    attempted,
    commit,
    deposited,
    people,
    result,
)


def say(word: str, message: int) -> None:
    os.write(1, f"{word} {message}\n".encode())


async def open_store(directory: Path, url: str) -> SqliteStore | PostgresStore:
    if url:
        return await PostgresStore.open(url, directory, inline_max_octets=INLINE_MAX)
    return await SqliteStore.open(directory, inline_max_octets=INLINE_MAX)


async def worker(store: SqliteStore | PostgresStore, first: int, step: int) -> None:
    number = first
    while True:
        data = b"%d\r\n" % number * (400 if number % 7 == 0 else 3)
        message = await accept(store, ANN, FAR, message=number, data=data)
        say("accepted", number)
        await commit(store, attempted(message, result(0)), deposited(message))
        say("deposited", number)
        if number % 3 == 0:
            await commit(store, attempted(message, result(1, DeliveryState.BOUNCED)))
            say("ended", number)
        number += step


async def main(directory: Path, first: int, url: str) -> None:
    store = await open_store(directory, url)
    if await store.directory.domain("example.org") is None:
        await people(store)
    await asyncio.gather(*(worker(store, first + turn, 16) for turn in range(16)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))

"""A process that accepts large and small messages, and ends most of them, until it is killed.

``python -m tests.unit.storage.backup.busy_writer DIRECTORY``: the load under which a backup is made.
Each line of its output names a message that was acknowledged.
"""

import asyncio
import os
import sys
from pathlib import Path

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


def bytes_of(number: int) -> bytes:
    """The content of a message: two of three are too large for the database."""
    return b"%d\r\n" % number * (400 if number % 3 else 20)


async def worker(store: SqliteStore, first: int) -> None:
    number = first
    while True:
        to = FAR if number % 5 else ANN
        message = await accept(store, to, message=number, data=bytes_of(number))
        os.write(1, b"%d\n" % number)
        if number % 5 == 0:
            await commit(store, attempted(message, result()), deposited(message))
        elif number % 5 < 4:
            await commit(store, attempted(message, result()))
        number += 8


async def main(directory: Path) -> None:
    store = await SqliteStore.open(directory, inline_max_octets=INLINE_MAX)
    await people(store)
    await asyncio.gather(*(worker(store, 10_000_000 + turn) for turn in range(8)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))

"""`ports.Duties`: on every store; and what several nodes have of it, on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import psycopg
import pytest

from postroad.runtime.duty import alone
from postroad.storage.postgres import PostgresStore
from tests.contracts.stores import Store
from tests.postgres import a_database


async def test_a_duty_is_had_again_and_given_back(store: Store) -> None:
    assert await store.duties.hold("reports")
    assert await store.duties.hold("reports")
    assert await store.duties.hold("webhooks")
    await store.duties.drop("reports")
    await store.duties.drop("reports")
    assert await store.duties.hold("reports")
    assert await store.duties.nodes() == 1


class Nodes:
    def __init__(self, url: str, stores: list[PostgresStore]) -> None:
        self.url = url
        self.stores = stores

    def time_passes(self, seconds: float) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("UPDATE claim SET ends = ends - %s", (seconds,))


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[Nodes]:
    url = a_database()
    stores = [await PostgresStore.open(url, tmp_path / name) for name in ("a", "b", "c")]
    yield Nodes(url, stores)
    for store in stores:
        await store.close()


async def test_one_node_has_a_duty_until_it_says_no_more(nodes: Nodes) -> None:
    a, b, c = (each.duties for each in nodes.stores)
    assert [await a.hold("x"), await b.hold("x"), await c.hold("x")] == [True, False, False]
    nodes.time_passes(31)
    assert [await b.hold("x"), await a.hold("x")] == [True, False]
    await b.drop("x")
    assert await c.hold("x")
    assert [await each.nodes() for each in (a, b, c)] == [1, 2, 3]
    nodes.time_passes(31)
    assert await a.nodes() == 1


async def test_one_session_per_mailbox_on_all_nodes(nodes: Nodes) -> None:
    a, b, _ = (each.locks for each in nodes.stores)
    assert await a.acquire(5)
    assert not await a.acquire(5)
    assert not await b.acquire(5)
    assert await b.acquire(6)
    a.release(5)
    assert await a.acquire(5), "at once: a client comes back after QUIT"
    nodes.time_passes(61)
    assert await b.acquire(5), "of a node that is gone"
    b.release(5)
    b.release(6)
    assert await b.acquire(6)


async def test_work_goes_on_at_another_node(nodes: Nodes) -> None:
    done: list[str] = []

    async def work(name: str) -> None:
        while True:
            done.append(name)
            await asyncio.sleep(0.01)

    async def came(name: str) -> None:
        done.clear()
        async with asyncio.timeout(20):
            while name not in done:
                await asyncio.sleep(0.01)

    tasks = {
        name: asyncio.create_task(alone(store.duties, "x", partial(work, name), 0.05))
        for name, store in zip("abc", nodes.stores, strict=True)
    }
    try:
        async with asyncio.timeout(20):
            while not done:
                await asyncio.sleep(0.01)
        first = done[0]
        await asyncio.sleep(0.3)
        assert set(done) == {first}
        ended = [tasks.pop(first), tasks.pop(next(iter(tasks)))]
        for task in ended:
            task.cancel()
        await asyncio.gather(*ended, return_exceptions=True)
        (last,) = tasks
        await came(last)
        assert set(done) == {last}
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


async def test_what_the_work_raises_is_raised(nodes: Nodes) -> None:
    async def work() -> None:
        raise ValueError("a mistake of ours")

    with pytest.raises(ValueError, match="mistake"):
        await alone(nodes.stores[0].duties, "x", work)
    assert await nodes.stores[1].duties.hold("x"), "it was given back"

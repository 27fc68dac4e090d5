"""The lists of streams: changed by hand, written and read as CSV."""

from io import StringIO

import pytest

from postroad.model import Address, Suppression, SuppressionReason
from postroad.service.errors import Refused
from postroad.service.suppressions import Imported, Suppressions
from postroad.storage.memory import MemoryStore

JO, ANN = Address("jo", "there.test"), Address("ann", "there.test")
KNOWN: dict[str, list[str]] = {"news": ["us.test"], "codes": []}
NOW = 1_795_600_000.0


class Clock:
    def now(self) -> float:
        return NOW

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None: ...


@pytest.fixture
def lists() -> Suppressions:
    store = MemoryStore()
    return Suppressions(
        ledger=store.ledger,
        store=store.suppressions,
        clock=Clock(),
        known=KNOWN,
    )


def table(text: str) -> StringIO:
    return StringIO(text, newline="")


async def written(lists: Suppressions, stream: str | None = None) -> str:
    return "".join([line async for line in lists.write_csv(stream)])


async def test_by_hand(lists: Suppressions) -> None:
    assert await lists.add([JO, ANN], "news", by="op", evidence="asked us") == 2
    assert await lists.add([JO], "news", by="op") == 0
    assert await lists.find("news", JO.folded) == [
        Suppression(JO, "news", SuppressionReason.MANUAL, "asked us", NOW)
    ]
    assert [each.address for each in await lists.find(address="@there.test")] == [ANN, JO]
    assert await lists.remove([Address("JO", "there.test"), JO], "news", by="op") == 1
    assert await lists.remove([JO], "news", by="op") == 0
    assert [each.address for each in await lists.find()] == [ANN]


async def test_streams_without_a_list_are_refused(lists: Suppressions) -> None:
    with pytest.raises(Refused, match="codes, news"):
        await lists.add([JO], "bulk", by="op")
    with pytest.raises(Refused, match="default never has one"):
        await lists.find("default")


async def test_the_domains_of_a_stream(lists: Suppressions) -> None:
    assert lists.domains_of("news") == {"us.test"}
    with pytest.raises(Refused, match="has no suppression list"):
        lists.domains_of("bulk")


async def test_from_page_to_page(lists: Suppressions) -> None:
    await lists.add([JO, ANN], "news", by="op")
    (first,) = await lists.find(limit=1)
    (second,) = await lists.find(limit=1, after=("news", first.address.folded))
    assert [first.address, second.address] == [ANN, JO]
    assert await lists.find(after=("news", JO.folded)) == []


async def test_there_and_back(lists: Suppressions) -> None:
    await lists.add([JO], "news", by="op", evidence='said "no", twice')
    await lists.add([ANN], "codes", by="op", evidence="=1+1")
    text = await written(lists)
    assert text == (
        "address,stream,reason,evidence,since\r\n"
        "ann@there.test,codes,manual, =1+1,2026-11-25T09:46:40+00:00\r\n"
        'jo@there.test,news,manual,"said ""no"", twice",2026-11-25T09:46:40+00:00\r\n'
    )
    assert (await written(lists, "news")).count("\r\n") == 2
    other = MemoryStore()
    copy = Suppressions(
        ledger=other.ledger,
        store=other.suppressions,
        clock=Clock(),
        known=KNOWN,
    )
    assert await copy.read_csv(table(text), by="op") == Imported(2, 2)
    assert await copy.read_csv(table(text), by="op") == Imported(2, 0)
    assert await copy.find() == await lists.find()


async def test_two_columns_are_enough(lists: Suppressions) -> None:
    text = "\ufeffstream,address\nnews,jo@there.test\n"
    assert await lists.read_csv(table(text), by="op") == Imported(1, 1)
    (entry,) = await lists.find()
    assert (entry.reason, entry.since) == (SuppressionReason.MANUAL, NOW)


async def test_whose_owner_wanted_it_is_taken_off_by_force_alone(lists: Suppressions) -> None:
    text = "address,stream,reason\njo@there.test,news,unsubscribe\nann@there.test,news,manual\n"
    await lists.read_csv(table(text), by="op")
    with pytest.raises(
        Refused, match=r"jo@there\.test is there by its owner's wish \(unsubscribe\)"
    ):
        await lists.remove([ANN, JO], "news", by="op")
    assert len(await lists.find()) == 2
    assert await lists.remove([ANN, JO], "news", by="op", force=True) == 2


async def test_a_dry_run_changes_nothing(lists: Suppressions) -> None:
    await lists.add([JO], "news", by="op")
    text = "address,stream\njo@there.test,news\nann@there.test,news\nann@there.test,codes\n"
    assert await lists.read_csv(table(text), by="op", dry_run=True) == Imported(3, 2)
    assert [each.address for each in await lists.find()] == [JO]


async def test_a_wrong_line_and_nothing_is_added(lists: Suppressions) -> None:
    rows = "".join(f"a{number}@there.test,news\n" for number in range(2_500))
    with pytest.raises(Refused, match="line 2502: address has no @"):
        await lists.read_csv(table("address,stream\n" + rows + "nobody,news\n"), by="op")
    assert await lists.find() == []


async def test_many_pages(lists: Suppressions) -> None:
    rows = "".join(f"a{number}@there.test,news\n" for number in range(2_500))
    assert await lists.read_csv(table("address,stream\n" + rows), by="op") == Imported(2_500, 2_500)
    assert (await written(lists)).count("\r\n") == 2_501

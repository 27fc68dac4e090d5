"""What the store knows after all lives: the books that must balance."""

from collections import defaultdict

from msgspec import Struct

from postroad.model import Accepted, Address, Attempted, DeliveryState, Message
from postroad.ports import QueueFilter
from postroad.storage.sqlite.store import SqliteStore
from tests.violence.clients import BOB, bytes_of, number_in


class Balance(Struct):
    """What became of all mail."""

    sent: int
    acknowledged: int
    relayed: int = 0
    duplicates: int = 0
    unknown: int = 0
    wrong: list[str] = []

    def check(self, words: str) -> None:
        assert not self.wrong, f"{len(self.wrong)} wrong: {self.wrong[:10]}; {words}"
        assert self.duplicates <= self.unknown, self


async def messages_in(store: SqliteStore) -> dict[int, Message]:
    items = await store.queue.find(QueueFilter(states=tuple(DeliveryState), limit=10**9))
    messages = {item.message.id: item.message for item in items}
    return {
        int(message.message_id[1:].partition("@")[0]): message
        for message in messages.values()
        if message.message_id.endswith("@violence.test>")
    }


async def deposits_in(store: SqliteStore) -> dict[int, int]:
    account = await store.directory.account(Address.parse(BOB))
    assert account is not None
    listing = await store.mailboxes.listing(account.inbox)
    assert listing is not None
    copies: dict[int, int] = defaultdict(int)
    for entry in await store.mailboxes.entries(account.inbox, listing.uids):
        copies[number_in(entry.prefix + await store.content.read(entry.content))] += 1
    return copies


async def results_of(store: SqliteStore, message: int, ordinal: int) -> list[object]:
    events = await store.journey.events(message)
    assert isinstance(events[0].change, Accepted)
    return [
        result.outcome
        for event in events
        if isinstance(event.change, Attempted)
        for result in event.change.results
        if result.ordinal == ordinal
    ]


async def unreadable(store: SqliteStore, number: int, message: Message) -> str:
    try:
        data = await store.content.read(message.content)
    except Exception as error:
        return f"{number} cannot be read: {error}"
    return "" if data.endswith(bytes_of(number)) else f"{number} is damaged: {len(data)} octets"

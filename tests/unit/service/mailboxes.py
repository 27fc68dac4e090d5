"""A store with Ann's account, into whose INBOX letters come."""

from postroad.model import Message
from postroad.network import SystemEntropy
from postroad.service.mail import Lessons, Mail
from postroad.storage.memory import MemoryStore
from tests.contracts.stores import ANN, accept, attempted, commit, deposited, people, result
from tests.unit.service.fakes import FakeClock


async def store_with(*letters: bytes) -> tuple[MemoryStore, list[Message]]:
    """Return it, and the messages that the letters became, uids 1, 2, …"""
    store = MemoryStore()
    await people(store)
    return store, [await arrive(store, data) for data in letters]


async def arrive(store: MemoryStore, data: bytes) -> Message:
    message = await accept(store, ANN, data=data)
    await commit(store, attempted(message, result()), deposited(message))
    return message


def mail_of(store: MemoryStore, lessons: Lessons | None = None) -> Mail:
    return Mail(
        ledger=store.ledger,
        directory=store.directory,
        mailboxes=store.mailboxes,
        content=store.content,
        clock=FakeClock(),
        entropy=SystemEntropy(),
        lessons=lessons,
    )


async def listed(mail: Mail) -> dict[str, int]:
    """How many messages are in each mailbox."""
    return {each.mailbox.name: each.entries for each in await mail.mailboxes(ANN)}

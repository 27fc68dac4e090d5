import asyncio

import pytest

from postroad.mailbox import MailboxGone, MailboxInUse
from postroad.model import Account, Address
from postroad.service.maildrops import LoginTooSoon, Maildrops
from tests.unit.mailbox.fakes import PREFIX, FakeMailboxes
from tests.unit.service.fakes import FakeClock

ANN = Account(1, Address.parse("ann@example.test"), "", 101)


def service(fake: FakeMailboxes, clock: FakeClock, delay: float = 0.0) -> Maildrops:
    return Maildrops(
        mailboxes=fake,
        content=fake,
        locks=fake,
        ledger=fake,
        clock=clock,
        login_delay_seconds=delay,
    )


def test_an_account_gets_its_inbox() -> None:
    fake = FakeMailboxes([b"A: b\r\n\r\nhello\r\n"])

    async def main() -> None:
        drop = await service(fake, FakeClock()).open(ANN)
        assert drop.listing.mailbox.id == ANN.inbox
        assert await drop.read_ahead(0) == {0: (1, PREFIX, b"A: b\r\n\r\nhello\r\n", False)}
        drop.close()

    asyncio.run(main())


def test_one_session_at_a_time() -> None:
    async def main() -> None:
        maildrops = service(FakeMailboxes(), FakeClock())
        drop = await maildrops.open(ANN)
        with pytest.raises(MailboxInUse):
            await maildrops.open(ANN)
        drop.close()
        (await maildrops.open(ANN)).close()

    asyncio.run(main())


def test_the_login_delay_is_counted_from_login_to_login() -> None:
    clock = FakeClock()

    async def main() -> None:
        maildrops = service(FakeMailboxes(), clock, delay=30.0)
        (await maildrops.open(ANN)).close()
        clock.at += 20.0
        with pytest.raises(LoginTooSoon) as refused:
            await maildrops.open(ANN)
        assert refused.value.seconds == 10.0
        clock.at += 10.0  # being refused did not put it off
        (await maildrops.open(ANN)).close()

    asyncio.run(main())


def test_a_login_that_found_it_in_use_does_not_count() -> None:
    clock = FakeClock()
    fake = FakeMailboxes()

    async def main() -> None:
        maildrops = service(fake, clock, delay=30.0)
        assert await fake.acquire(ANN.inbox)
        with pytest.raises(MailboxInUse):
            await maildrops.open(ANN)
        fake.release(ANN.inbox)
        (await maildrops.open(ANN)).close()

    asyncio.run(main())


def test_an_account_without_its_mailbox() -> None:
    fake = FakeMailboxes()
    fake.known.clear()
    with pytest.raises(MailboxGone):
        asyncio.run(service(fake, FakeClock()).open(ANN))
    assert fake.locked == set()

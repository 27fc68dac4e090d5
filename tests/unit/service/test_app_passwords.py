import hashlib
import re

import pytest

from postroad.model import Account, AccountAdded, Address, Domain, DomainAdded, Group, Scope
from postroad.network import SystemEntropy
from postroad.ports import Conflict
from postroad.service.app_passwords import MAX_APP_PASSWORDS, AppPasswords
from postroad.service.errors import Refused
from postroad.service.passwords import Passwords
from postroad.storage.memory import MemoryStore
from tests.unit.service.fakes import FakeClock

BOB = Account(7, Address.parse("bob@x.test"), "h", 77)


@pytest.fixture
async def desk() -> AppPasswords:
    store = MemoryStore()
    people = (DomainAdded(1.0, Domain("x.test")), AccountAdded(1.0, BOB))
    await store.ledger.commit(Group(people))
    return AppPasswords(
        ledger=store.ledger,
        directory=store.directory,
        clock=FakeClock(),
        entropy=SystemEntropy(),
        passwords=Passwords(scram_iterations=1),
        secret=store.secret,
    )


async def test_add_list_remove(desk: AppPasswords) -> None:
    password = await desk.add(BOB, " phone ", (Scope.SMTP, Scope.POP3, Scope.SMTP))
    assert re.fullmatch(r"[a-z2-7]{4}(-[a-z2-7]{4}){5}", password)
    [kept] = await desk.list(BOB)
    assert (kept.name, kept.scopes) == ("phone", (Scope.POP3, Scope.SMTP))
    assert kept.digest == hashlib.sha256(password.encode()).digest()
    assert password != await desk.add(BOB, "desk", (Scope.SMTP,))
    with pytest.raises(Conflict):
        await desk.add(BOB, "desk", (Scope.SMTP,))
    await desk.remove(BOB, "desk")
    with pytest.raises(Conflict):
        await desk.remove(BOB, "desk")
    assert await desk.list(BOB) == [kept]


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "a\nb"])
async def test_names_that_will_not_do(desk: AppPasswords, name: str) -> None:
    with pytest.raises(Refused, match="name"):
        await desk.add(BOB, name, (Scope.SMTP,))


async def test_some_scope_is_needed(desk: AppPasswords) -> None:
    with pytest.raises(Refused, match="scope"):
        await desk.add(BOB, "phone", ())


async def test_there_is_a_limit(desk: AppPasswords) -> None:
    for number in range(MAX_APP_PASSWORDS):
        await desk.add(BOB, f"phone {number}", (Scope.SMTP,))
    with pytest.raises(Refused, match="limit"):
        await desk.add(BOB, "one more", (Scope.SMTP,))

import pytest

from postroad.model import Address, Reply
from postroad.service.recipients import LOCAL, RETURNS, Recipients, Target
from postroad.trust.srs import Srs
from tests.unit.service.fakes import FakeDirectory


@pytest.fixture
def directory() -> FakeDirectory:
    directory = FakeDirectory()
    directory.add_domain("x.test")
    directory.add_account("bob@x.test")
    return directory


async def resolve(directory: FakeDirectory, address: str) -> list[tuple[str, str, bool]] | str:
    found = await Recipients(directory, hostname="mx.x.test").resolve(Address.parse(address))
    if isinstance(found, Reply):
        return f"{found.code} {found.enhanced}"
    return [(str(target.address), target.destination, target.is_local) for target in found]


async def test_account_and_unknown(directory: FakeDirectory) -> None:
    bob = [("bob@x.test", LOCAL, True)]
    assert await resolve(directory, "bob@x.test") == bob
    assert await resolve(directory, "BOB@X.TEST") == bob
    assert await resolve(directory, '"bob"@x.test') == bob
    assert await resolve(directory, "nobody@x.test") == "550 5.1.1"


async def test_other_domains_leave(directory: FakeDirectory) -> None:
    assert await resolve(directory, "eve@y.test") == [("eve@y.test", "y.test", False)]


async def test_return_paths_of_ours_are_taken_whatever_else_is_there(
    directory: FakeDirectory,
) -> None:
    ours = Address("bounce+1", "x.test")
    elsewhere = Address("bounce+1", "not-in-the-directory.test")
    forged = Address("bounce+2", "x.test")
    directory.add_account("bounce@x.test")

    def returns(address: Address) -> tuple[Target, ...] | Reply | None:
        if address in (ours, elsewhere):
            return (Target(address, address, RETURNS, None),)
        return Reply(550, "5.1.1", "no such user") if address == forged else None

    recipients = Recipients(directory, hostname="mx.x.test", returns=returns)

    async def only(address: Address) -> Target:
        found = await recipients.resolve(address)
        assert not isinstance(found, Reply)
        (target,) = found
        return target

    for address in (ours, elsewhere):
        target = await only(address)
        assert (target.destination, target.is_ours) == (RETURNS, True)
    assert await recipients.resolve(forged) == Reply(550, "5.1.1", "no such user")
    assert (await only(Address("bounce+3", "x.test"))).is_local
    assert not (await only(Address("eve", "y.test"))).is_ours


async def test_subaddress(directory: FakeDirectory) -> None:
    assert await resolve(directory, "bob+list@x.test") == [("bob@x.test", LOCAL, True)]
    assert await resolve(directory, "+bob@x.test") == "550 5.1.1"
    directory.add_domain("x.test", subaddress="")
    assert await resolve(directory, "bob+list@x.test") == "550 5.1.1"


async def test_an_exact_account_goes_before_its_subaddress(directory: FakeDirectory) -> None:
    directory.add_account("bob+list@x.test")
    assert await resolve(directory, "bob+list@x.test") == [("bob+list@x.test", LOCAL, True)]


async def test_alias_to_here_and_elsewhere(directory: FakeDirectory) -> None:
    directory.add_alias("team@x.test", "bob@x.test", "eve@y.test", "bob+x@x.test")
    assert await resolve(directory, "team@x.test") == [
        ("bob@x.test", LOCAL, True),
        ("eve@y.test", "y.test", False),
    ]


async def test_alias_cycle(directory: FakeDirectory) -> None:
    directory.add_alias("a@x.test", "b@x.test")
    directory.add_alias("b@x.test", "a@x.test")
    assert await resolve(directory, "a@x.test") == "554 5.4.6"


async def test_alias_too_deep(directory: FakeDirectory) -> None:
    for number in range(20):
        directory.add_alias(f"a{number}@x.test", f"a{number + 1}@x.test")
    assert await resolve(directory, "a0@x.test") == "554 5.3.5"


async def test_alias_to_nobody(directory: FakeDirectory) -> None:
    directory.add_alias("a@x.test", "nobody@x.test")
    assert await resolve(directory, "a@x.test") == "550 5.1.1"


async def test_catch_all(directory: FakeDirectory) -> None:
    directory.add_domain("x.test", catch_all="bob@x.test")
    assert await resolve(directory, "any@x.test") == [("bob@x.test", LOCAL, True)]
    directory.add_domain("x.test", catch_all="gone@x.test")
    assert await resolve(directory, "any@x.test") == "550 5.1.1"


async def test_disabled_account(directory: FakeDirectory) -> None:
    directory.add_account("gone@x.test", enabled=False)
    assert await resolve(directory, "gone@x.test") == "550 5.2.1"


async def test_postmaster_of_the_host(directory: FakeDirectory) -> None:
    assert await resolve(directory, "postmaster@mx.x.test") == "550 5.1.1"
    directory.add_alias("postmaster@x.test", "bob@x.test")
    assert await resolve(directory, "Postmaster@mx.x.test") == [("bob@x.test", LOCAL, True)]
    assert await resolve(directory, "bob@mx.x.test") == "550 5.1.1"


@pytest.mark.parametrize(
    "address",
    ["eve%y.test@x.test", "y.test!eve@x.test", '"eve@y.test"@x.test', '"@y.test:e"@x.test'],
)
async def test_old_routes_are_just_names(directory: FakeDirectory, address: str) -> None:
    assert await resolve(directory, address) == "550 5.1.1"


async def test_senders_of_mail_that_was_passed_on_lead_back(directory: FakeDirectory) -> None:
    srs = Srs(b"a secret that nobody knows")
    now = 1_795_600_000.0

    async def back(local_part: str) -> Address:
        return srs.back(local_part, now)

    recipients = Recipients(directory, hostname="mx.x.test", way_back=back)
    eve = Address("eve", "y.test")
    forwarded = srs.forward(eve, "x.test", now)
    assert forwarded is not None
    found = await recipients.resolve(forwarded)
    assert not isinstance(found, Reply)
    assert [(each.address, each.original, each.destination) for each in found] == [
        (eve, forwarded, "y.test")
    ]
    forged = await recipients.resolve(Address("SRS0=abcdef=ab=y.test=eve", "x.test"))
    assert isinstance(forged, Reply)
    assert (forged.code, "not made here" in forged.text) == (550, True)
    # Elsewhere it is just an address.
    assert await resolve(directory, "SRS0=abcdef=ab=y.test=eve@z.test") == [
        ("SRS0=abcdef=ab=y.test=eve@z.test", "z.test", False)
    ]
    # An account of that name goes first.
    directory.add_account(str(forwarded))
    found = await recipients.resolve(forwarded)
    assert not isinstance(found, Reply)
    assert found[0].is_local


async def test_every_domain_has_a_postmaster() -> None:
    """RFC 5321 §4.5.1."""
    directory = FakeDirectory()
    directory.add_domain("a.test")
    directory.add_domain("here.test")
    directory.add_domain("last.test")
    recipients = Recipients(directory, hostname="mail.here.test")
    lost = await recipients.resolve(Address.parse("postmaster@last.test"))
    assert isinstance(lost, Reply)  # nobody anywhere is postmaster
    inbox = directory.add_account("postmaster@a.test")
    for name in ("PostMaster@last.test", "postmaster@here.test", "postmaster@mail.here.test"):
        found = await recipients.resolve(Address.parse(name))
        assert not isinstance(found, Reply)
        assert [target.mailbox for target in found] == [inbox]
    own = directory.add_account("postmaster@here.test")  # the domain of our name comes first
    found = await recipients.resolve(Address.parse("postmaster@last.test"))
    assert not isinstance(found, Reply)
    assert [target.mailbox for target in found] == [own]
    assert isinstance(await recipients.resolve(Address.parse("nobody@last.test")), Reply)

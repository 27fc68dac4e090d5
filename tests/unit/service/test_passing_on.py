"""What is kept with mail that is passed on, and whose mail is not."""

import pytest

from postroad.model import Address, Findings, Origin, Recipient, Reply, ServerKind
from postroad.service.passing_on import domains_passing_on, findings_of, refusal_of_author
from postroad.service.recipients import LOCAL, Accepted, Recipients, Target
from postroad.trust.dmarc import Author, DmarcCheck, DmarcResult, DomainCheck, Policy
from tests.unit.service.fakes import FakeDirectory

ALIAS = Address("list", "us.test")
BOB = Address("bob", "us.test")
AWAY = Address("x", "away.test")


def taken(*targets: Target) -> Accepted:
    return Accepted(Recipient(ALIAS), targets)


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (ServerKind.MX, {"us.test"}),
        (ServerKind.LMTP, {"us.test"}),
        (ServerKind.SUBMISSION, set()),
        (ServerKind.DSN, set()),
    ],
)
def test_what_is_passed_on(server: ServerKind, expected: set[str]) -> None:
    here = taken(Target(BOB, ALIAS, LOCAL, 1), Target(BOB, BOB, LOCAL, 1))
    out = taken(Target(AWAY, AWAY, AWAY.domain, None))  # relayed for who may
    assert domains_passing_on(Origin(server), [here, out]) == set()
    forwarded = taken(Target(AWAY, ALIAS, AWAY.domain, None))
    assert domains_passing_on(Origin(server), [here, forwarded]) == expected
    named = domains_passing_on(Origin(server), [here, forwarded], "passed.test")
    assert named == ({"passed.test"} if expected else set())


def check(domain: str, result: DmarcResult, organization: str = "") -> DmarcCheck:
    found = DomainCheck(domain, result, organizational_domain=organization)
    return DmarcCheck(Author((domain,)), result, Policy.NONE, (found,))


@pytest.mark.parametrize(
    ("author", "organization", "result", "code"),
    [
        ("us.test", "", DmarcResult.FAIL, 550),
        ("us.test", "", DmarcResult.PERMERROR, 550),
        ("us.test", "", DmarcResult.TEMPERROR, 451),
        ("us.test", "", DmarcResult.PASS, 0),
        ("us.test", "", DmarcResult.NONE, 0),
        ("deep.us.test", "", DmarcResult.FAIL, 550),
        ("test", "", DmarcResult.FAIL, 550),
        ("theirs.test", "theirs.test", DmarcResult.FAIL, 0),
        ("notus.test", "", DmarcResult.FAIL, 0),
        ("a.org.test", "org.test", DmarcResult.FAIL, 550),
    ],
)
def test_whose_mail_is_not_passed_on(
    author: str, organization: str, result: DmarcResult, code: int
) -> None:
    reply = refusal_of_author(check(author, result, organization), {"us.test", "b.org.test"})
    assert (reply.code if reply else 0) == code


async def test_what_is_kept() -> None:
    directory = FakeDirectory()
    directory.add_domain("us.test")
    recipients = Recipients(directory, hostname="mx.host.test")

    async def kept(*facts: object, sender: Address | None = AWAY) -> Findings | Reply | None:
        by = frozenset({"else.test"})
        return await findings_of(facts, sender, by, recipients, "mx.host.test")

    assert await kept("another") is None
    assert await kept("another", Findings("x")) == Findings("x")
    forged = check("us.test", DmarcResult.FAIL)
    assert await kept(forged, Findings("x")) == Findings("x")  # it leaves in another name
    assert isinstance(await kept(forged, sender=BOB), Reply)
    assert isinstance(await kept(check("host.test", DmarcResult.FAIL), sender=None), Reply)

"""What aliases lead to other places of mail that belongs into Junk."""

import pytest

from postroad.model import Address, Origin, Recipient, Reply, ServerKind
from postroad.policy import NOTHING
from postroad.service.recipients import Accepted, Target
from postroad.service.suspected import Aside, put_aside, refusal_of

HERE, FAR = Address.parse("jo@us.test"), Address.parse("fay@far.test")
ALIAS = Address.parse("team@us.test")
MX = Origin(ServerKind.MX)


def leads(*to: Address, of: Address = ALIAS, quarantined: bool = False) -> Accepted:
    targets = tuple(
        Target(each, of, "local", 7) if each == HERE else Target(each, of, each.domain, None)
        for each in to
    )
    return Accepted(Recipient(of), targets, quarantined)


def kept(aside: Aside | Reply) -> list[list[Address]]:
    assert isinstance(aside, Aside)
    return [[target.address for target in each.targets] for each in aside.accepted]


@pytest.mark.parametrize("server", list(ServerKind))
@pytest.mark.parametrize("quarantined", [True, False])
@pytest.mark.parametrize("pass_on", [True, False])
def test_only_what_is_suspected_and_comes_from_outside_is_refused(
    server: ServerKind, quarantined: bool, pass_on: bool
) -> None:
    outside = server in (ServerKind.MX, ServerKind.LMTP)
    wanted = quarantined and outside and not pass_on
    accepted = leads(FAR, quarantined=quarantined)
    reply = refusal_of(accepted, Origin(server), pass_on=pass_on)
    assert (reply is not None) is wanted
    assert reply is None or str(reply).startswith("550 5.7.1 ")
    aside = put_aside([leads(FAR)], quarantined, Origin(server), pass_on=pass_on)
    assert isinstance(aside, Reply) is wanted


@pytest.mark.parametrize(
    "accepted", [leads(HERE), leads(HERE, FAR), leads(HERE, of=HERE), leads(FAR, of=FAR)]
)
def test_who_has_a_mailbox_here_is_not_refused(accepted: Accepted) -> None:
    assert isinstance(put_aside([accepted], True, MX, pass_on=False), Aside)


def test_copies_that_would_leave_are_left_out() -> None:
    aside = put_aside([leads(HERE, FAR), leads(HERE, of=HERE)], True, MX, pass_on=False)
    assert kept(aside) == [[HERE], [HERE]]
    assert isinstance(aside, Aside)
    (ruling,) = aside.told(5.0).rulings
    assert (ruling.check, ruling.at) == ("forwarding", 5.0)
    assert ruling.reason == "suspected, not passed on: fay@far.test"


def test_the_word_said_of_one_recipient_holds_for_that_one() -> None:
    accepted = [leads(HERE, FAR, quarantined=True), leads(FAR)]
    aside = put_aside(accepted, False, MX, pass_on=False)
    assert kept(aside) == [[HERE], [FAR]]
    assert isinstance(aside, Aside)
    assert [each.quarantined for each in aside.accepted] == [True, False]
    assert aside.elsewhere == ("fay@far.test",)


def test_passed_on_all_the_same() -> None:
    aside = put_aside([leads(HERE, FAR), leads(FAR)], True, MX, pass_on=True)
    assert kept(aside) == [[HERE, FAR], [FAR]]
    assert isinstance(aside, Aside)
    (ruling,) = aside.told(5.0).rulings
    assert ruling.reason == "suspected, passed on all the same: fay@far.test, fay@far.test"


def test_nothing_is_told_where_nothing_leaves() -> None:
    aside = put_aside([leads(HERE)], True, MX, pass_on=False)
    assert isinstance(aside, Aside)
    assert aside.told(5.0) is NOTHING

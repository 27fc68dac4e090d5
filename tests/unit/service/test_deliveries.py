"""Which deliveries come of recipients."""

from postroad.model import JUNK, Address, Notify, Recipient
from postroad.service.deliveries import deliveries_of
from postroad.service.recipients import LOCAL, RETURNS, Accepted, Target

BOB, FAR = Address("bob", "here.test"), Address("fay", "far.test")
HERE, THERE = Target(BOB, BOB, LOCAL, 5), Target(FAR, BOB, FAR.domain, None)


def test_each_place_has_one() -> None:
    accepted = [Accepted(Recipient(BOB), (HERE, THERE)), Accepted(Recipient(FAR), (THERE,))]
    made = deliveries_of(7, accepted, 9.0, junk=False)
    assert [(d.message, d.ordinal, d.recipient, d.mailbox) for d in made] == [
        (7, 0, BOB, 5),
        (7, 1, FAR, None),
    ]
    assert {(d.due_at, d.folder) for d in made} == {(9.0, "")}


def test_only_what_stays_here_goes_into_junk() -> None:
    accepted = [Accepted(Recipient(BOB), (HERE, THERE))]
    assert [d.folder for d in deliveries_of(7, accepted, 9.0, junk=True)] == [JUNK, ""]
    aside = [Accepted(Recipient(BOB), (HERE,), quarantined=True)]
    assert [d.folder for d in deliveries_of(7, aside, 9.0, junk=False)] == [JUNK]


def test_nobody_is_told_of_what_came_back() -> None:
    back = Accepted(Recipient(BOB, Notify.FAILURE), (Target(BOB, BOB, RETURNS, None),))
    assert deliveries_of(7, [back], 9.0, junk=False)[0].notify is Notify.NEVER

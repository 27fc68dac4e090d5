"""Which of our addresses mail leaves from, and another one where a server refuses it."""

import pytest

from postroad.delivery.settings import Source
from postroad.model import Delivered, PermanentFailure
from postroad.ports import Attempt, NotNow
from tests.unit.delivery.world import FakeServer, Table, World, run, words

BLOCKED = "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org"
TWO = {"out": (Source("192.0.2.1", "one.sender.test"), Source("192.0.2.2", "two.sender.test"))}
BOTH: Table = {
    "receiver.test MX": ["10 mx1.receiver.test"],
    "mx1.receiver.test A": ["127.0.0.3"],
    "mx1.receiver.test AAAA": ["::1"],
}


def outcome(attempt: Attempt) -> type:
    return type(attempt.outcomes[0][1])


def source(attempt: Attempt) -> str:
    assert attempt.taken is not None
    return attempt.taken.source


def test_the_addresses_of_a_pool_take_turns_and_say_their_names() -> None:
    server = FakeServer()
    world = World(server, pools=TWO)
    found = [run(world.send(world.job(), pool="out"))[0] for _ in range(4)]
    assert sorted(map(source, found)) == ["192.0.2.1"] * 2 + ["192.0.2.2"] * 2
    said = {line for line in server.commands if line.startswith("EHLO")}
    assert said == {"EHLO one.sender.test", "EHLO two.sender.test"}


def test_other_mail_leaves_from_the_usual_address() -> None:
    world = World(FakeServer(), pools=TWO, source_ipv4="192.0.2.9")
    (attempt,) = run(world.send(world.job()))
    assert source(attempt) == "192.0.2.9"


@pytest.mark.parametrize("verb", ["CONNECT", "MAIL", "RCPT", "END"])
def test_where_one_address_is_blocked_another_is_tried(verb: str) -> None:
    good, bad = FakeServer(), FakeServer(**{verb: BLOCKED})
    world = World({"127.0.0.3": good, "192.0.2.1 > 127.0.0.3": bad}, pools=TWO)
    found = [run(world.send(world.job(), pool="out"))[0] for _ in range(4)]
    assert {outcome(each) for each in found} == {Delivered}
    assert {source(each) for each in found} == {"192.0.2.2"}
    assert bad.connections == 1, "it is known then"
    told = [line for each in found for line in words(each).split("\n") if "source:" in line]
    (line,) = told
    assert line.startswith("source: 192.0.2.1 is blocked by receiver.test")
    assert "another is tried" in line


def test_an_address_is_tried_again_after_a_while() -> None:
    good, bad = FakeServer(), FakeServer(RCPT=BLOCKED)
    world = World({"127.0.0.3": good, "192.0.2.1 > 127.0.0.3": bad}, pools=TWO, block_seconds=600.0)
    for _ in range(4):
        run(world.send(world.job(), pool="out"))
    assert bad.connections == 1
    world.clock.at += 601
    for _ in range(4):
        run(world.send(world.job(), pool="out"))
    assert bad.connections == 2


def test_where_every_address_is_blocked_the_refusal_counts() -> None:
    world = World(FakeServer(RCPT=BLOCKED), pools=TWO)
    (attempt,) = run(world.send(world.job(), pool="out"))
    assert outcome(attempt) is PermanentFailure
    assert "zen.spamhaus.org" in str(attempt.outcomes[0][1].reply)
    assert set(world.network.sources) == {"192.0.2.1", "192.0.2.2"}
    (again,) = run(world.send(world.job(), pool="out"))
    assert outcome(again) is PermanentFailure, "it is asked all the same"


def test_only_recipients_who_were_refused_for_it_are_sent_anew() -> None:
    def rcpt(line: str) -> str:
        return BLOCKED if "c@" in line else "250 ok"

    good, bad = FakeServer(), FakeServer(RCPT=rcpt)
    world = World({"127.0.0.3": good, "192.0.2.1 > 127.0.0.3": bad}, pools=TWO)
    for _ in range(2):
        job = world.job("b@receiver.test", "c@receiver.test")
        (attempt,) = run(world.send(job, pool="out"))
        assert [type(each) for _, each in attempt.outcomes] == [Delivered, Delivered]
    everything = [line for line in good.commands if line.startswith("RCPT TO:<b@")]
    assert len(bad.messages) == 1
    assert len(everything) == 1, "who was served already gets no second copy"


def test_the_other_family_is_tried_without_any_pool() -> None:
    four, six = FakeServer(END=BLOCKED), FakeServer()
    world = World({"127.0.0.3": four, "::1": six}, dns=BOTH)
    (attempt,) = run(world.send(world.job()))
    assert outcome(attempt) is Delivered
    assert six.messages
    assert "source: IPv4 is blocked by receiver.test" in words(attempt)
    (again,) = run(world.send(world.job()))
    assert outcome(again) is Delivered
    assert four.connections == 1


def test_other_refusals_are_no_reason_for_another_address() -> None:
    server = FakeServer(RCPT="550 5.1.1 no such user")
    world = World(server, pools=TWO)
    (attempt,) = run(world.send(world.job(), pool="out"))
    assert outcome(attempt) is PermanentFailure
    assert server.connections == 1


def test_a_pool_without_the_family_of_the_host_says_so() -> None:
    world = World(FakeServer(), pools={"out": (Source("2001:db8::1"),)})
    with pytest.raises(Exception, match="no source address of ours fits its hosts"):
        run(world.send(world.job(), pool="out"))


def test_blocks_are_told() -> None:
    bad = FakeServer(CONNECT=BLOCKED)
    world = World({"127.0.0.3": FakeServer(), "192.0.2.1 > 127.0.0.3": bad}, pools=TWO)
    for _ in range(2):
        run(world.send(world.job(), pool="out"))
    ((address, provider, until, reply),) = world.deliverer.sources.blocked(world.clock.now())
    assert (address, provider) == ("192.0.2.1", "receiver.test")
    assert until > world.clock.now()
    assert reply.code == 554


def test_what_is_over_the_cap_of_every_address_is_not_tried() -> None:
    day = int(World().clock.now() // 86_400)
    plan = ((0, 2), (1, 5))
    world = World(FakeServer(), pools={"out": (Source("192.0.2.1", "", day, plan),)})
    for _ in range(2):
        (attempt,) = run(world.send(world.job(), pool="out"))
        assert outcome(attempt) is Delivered
    with pytest.raises(NotNow) as caught:
        run(world.send(world.job(), pool="out"))
    assert caught.value.until == (day + 1) * 86_400
    assert str(caught.value.reply) == (
        "451 4.7.0 192.0.2.1 sends no more than 2 a day to receiver.test while it warms up"
    )

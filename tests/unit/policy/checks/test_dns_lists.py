import asyncio
from collections.abc import Sequence

import pytest

from postroad.policy import Accept, Check, Quarantine, Reject
from postroad.policy.checks.dns_lists import (
    DnsList,
    Listed,
    dns_lists,
    list_name,
    parse_dns_list,
)
from postroad.policy.checks.strangers import Action
from postroad.ports import Answer, Resolver
from tests.fake_dns import FakeDns
from tests.unit.policy.checks.asking import ALL, decide, mail_from, origin, verdict

RECORDS = {
    "1.2.0.192.bad.test": {"A": ["127.0.0.2"]},
    "2.2.0.192.bad.test": {"A": ["127.0.0.10"]},
    "3.2.0.192.bad.test": {"A": ["127.255.255.254"]},
    "4.2.0.192.bad.test": {"A": ["203.0.113.5"]},
    "5.2.0.192.bad.test": {"A": ["127.0.0.2"]},
    "5.2.0.192.good.test": {"A": ["127.0.5.1"]},
    "1.2.0.192.silent.test": {"A": ["!"]},
}


def lists(
    *block: str,
    allow: Sequence[str] = (),
    action: Action = Action.REJECT,
    resolver: Resolver | None = None,
    seconds: float = 5.0,
) -> Check:
    return dns_lists(
        block=[parse_dns_list(each) for each in block],
        allow=[parse_dns_list(each) for each in allow],
        action=action,
        seconds=seconds,
        strangers=ALL,
        resolver=resolver or FakeDns(RECORDS),
    )


async def test_a_client_on_a_list_is_refused() -> None:
    refused = await verdict(mail_from(), lists("other.test", "bad.test"))
    assert isinstance(refused, Reject)
    assert refused.reply.code == 554
    assert "listed by bad.test" in refused.reply.text
    assert refused.reason == "192.0.2.1 is on bad.test"


async def test_a_client_on_none_is_not() -> None:
    assert (await decide(mail_from(origin("192.0.2.77")), lists("bad.test"))).rulings == ()


async def test_actions() -> None:
    assert isinstance(
        await verdict(mail_from(), lists("bad.test", action=Action.QUARANTINE)), Quarantine
    )
    decision = await decide(mail_from(), lists("bad.test", action=Action.NOTE))
    assert isinstance(decision.verdict, Accept)
    assert decision.rulings[0].reason == "192.0.2.1 is on bad.test"
    assert decision.facts == (Listed(("bad.test",)),)


@pytest.mark.parametrize(
    ("client", "refused"),
    [("192.0.2.1", True), ("192.0.2.2", False), ("::ffff:192.0.2.1", True)],
)
async def test_only_some_answers_may_count(client: str, refused: bool) -> None:
    check = lists("bad.test=127.0.0.2-127.0.0.9")
    assert isinstance(await verdict(mail_from(origin(client)), check), Reject) is refused


@pytest.mark.parametrize("client", ["192.0.2.3", "192.0.2.4"])
async def test_error_codes_and_wild_answers_say_nothing(client: str) -> None:
    """A list that blocks our resolver, or was given up and sold, lists everybody."""
    decision = await decide(mail_from(origin(client)), lists("bad.test"))
    assert isinstance(decision.verdict, Accept)
    assert decision.rulings[0].reason == "no answer from bad.test"


async def test_a_list_of_the_good_outweighs_others() -> None:
    check = lists("bad.test", allow=["good.test"])
    decision = await decide(mail_from(origin("192.0.2.5")), check)
    assert isinstance(decision.verdict, Accept)
    assert decision.facts == (Listed(("bad.test",), ("good.test",)),)


async def test_a_list_that_is_down_stops_nothing_and_hides_nothing() -> None:
    decision = await decide(mail_from(), lists("silent.test"))
    assert isinstance(decision.verdict, Accept)
    assert decision.rulings[0].reason == "no answer from silent.test"
    assert isinstance(await verdict(mail_from(), lists("silent.test", "bad.test")), Reject)


async def test_lists_are_asked_at_once_and_not_waited_for_without_end() -> None:
    class Slow(FakeDns):
        async def lookup(self, name: str, rdtype: str) -> Answer:
            if name.endswith("slow.test"):
                await asyncio.sleep(60)
            return await super().lookup(name, rdtype)

    began = asyncio.get_running_loop().time()
    check = lists("slow.test", "more.slow.test", "bad.test", resolver=Slow(RECORDS), seconds=0.1)
    refused = await verdict(mail_from(), check)
    assert isinstance(refused, Reject)
    assert "no answer from slow.test, more.slow.test" in refused.reason
    assert asyncio.get_running_loop().time() - began < 5


async def test_who_logged_in_is_no_stranger() -> None:
    dns = FakeDns(RECORDS)
    check = lists("bad.test", resolver=dns)
    await decide(mail_from(origin(account="bob@us.test")), check)
    assert dns.asked == []


def test_names() -> None:
    assert list_name("192.0.2.99", "bl.test") == "99.2.0.192.bl.test"  # RFC 5782 §2.1
    assert list_name("2001:db8:1:2:3:4:567:89ab", "bl.test") == (
        "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.bl.test"
    )


def test_lists_as_they_are_written() -> None:
    assert parse_dns_list(" Zen.Example. ") == DnsList("zen.example")
    assert parse_dns_list("a.test=127.0.0.2") == DnsList("a.test", "127.0.0.2", "127.0.0.2")
    for wrong in (
        "",
        "test",
        "a b.test",
        "a.test=x",
        "a.test=127.0.0.9-127.0.0.2",
        "a.test=1.2.3.4",
    ):
        with pytest.raises(ValueError, match=r"write its zone|answers are"):
            parse_dns_list(wrong)

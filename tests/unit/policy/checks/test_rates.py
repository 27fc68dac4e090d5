import ipaddress

import pytest

from postroad.policy import Check, Defer
from postroad.policy.checks.rates import Rate, RateLimits, Rates, rate_checks
from postroad.policy.checks.strangers import Strangers
from postroad.storage.moments import LocalMoments
from tests.unit.policy.checks.asking import (
    ALL,
    connected,
    mail_from,
    origin,
    passes,
    rcpt_to,
    verdict,
)
from tests.unit.service.fakes import FakeClock


def checks(strangers: Strangers = ALL, **limits: int) -> tuple[list[Check], FakeClock]:
    clock = FakeClock()
    return rate_checks(Rates(RateLimits(**limits), clock, LocalMoments()), strangers), clock


def test_without_limits_nobody_is_asked() -> None:
    assert checks()[0] == []
    assert [each.name for each in checks(account_messages_per_hour=1)[0]] == ["message-rate"]


def test_so_many_at_once_and_then_one_by_one() -> None:
    clock = FakeClock()
    rate = Rate(3, 60.0, clock, LocalMoments(), "x")
    assert [rate.take("a") for _ in range(4)] == [0.0, 0.0, 0.0, 20.0]
    assert rate.take("b") == 0.0, "each for itself"
    clock.at += 19
    assert rate.take("a") == pytest.approx(1.0)
    clock.at += 1
    assert [rate.take("a"), rate.take("a")] == [0.0, pytest.approx(20.0)]
    clock.at += 3600
    assert [rate.take("a") for _ in range(4)] == [0.0, 0.0, 0.0, pytest.approx(20.0)]


def test_of_several_nodes_each_lets_its_part_pass() -> None:
    rates = Rates(RateLimits(client_messages_per_hour=6), FakeClock(), LocalMoments())
    rates.share(3)
    taken = [rates.client_messages.take("a") for _ in range(3)]
    assert taken == [0.0, 0.0, 1800.0]
    rates.share(20)
    assert rates.client_messages.take("b") == 0.0, "one, however many nodes there are"
    assert rates.client_messages.take("b") == 3600.0


def test_limits_count_apart() -> None:
    moments = LocalMoments()
    rates = [Rate(limit, 60.0, FakeClock(), moments, name) for limit, name in ((1, "x"), (1, "y"))]
    assert [each.take("a") for each in rates] == [0.0, 0.0]
    assert Rate(2, 60.0, FakeClock(), moments, "x").take("a") == 0.0, "another limit counts anew"
    assert Rate(1, 60.0, FakeClock(), moments, "x").take("a") > 0


async def test_connections() -> None:
    (check,), clock = checks(client_connections_per_minute=2)
    assert await passes(connected("2001:db8::1"), check)
    assert await passes(connected("2001:db8::2"), check)
    refused = await verdict(connected("2001:db8::3"), check)
    assert isinstance(refused, Defer)
    assert refused.reply.code == 421
    assert "try again in 30 seconds" in refused.reply.text
    assert await passes(connected("2001:db8:1::3"), check)
    assert await passes(connected(""), check), "the socket of the sendmail command"
    clock.at += 30
    assert await passes(connected("2001:db8::3"), check)


async def test_accounts_and_clients_are_counted_apart() -> None:
    found, _ = checks(account_messages_per_hour=1, client_messages_per_hour=2)
    (check,) = found
    bob = origin(account="bob@us.test")
    assert await passes(mail_from(bob), check)
    assert not await passes(mail_from(origin("192.0.2.9", account="Bob@us.test")), check)
    assert await passes(mail_from(), check), "the client has not sent by itself"
    assert await passes(mail_from(), check)
    refused = await verdict(mail_from(), check)
    assert isinstance(refused, Defer)
    assert (refused.reply.code, refused.reply.enhanced) == (450, "4.7.1")
    assert "192.0.2.1" in refused.reason


async def test_recipients() -> None:
    (check,), _ = checks(client_recipients_per_hour=2)
    assert [await passes(rcpt_to(), check) for _ in range(3)] == [True, True, False]


async def test_exempt_clients_are_not_counted_but_accounts_are() -> None:
    strangers = Strangers((ipaddress.ip_network("192.0.2.0/24"),))
    (check,), _ = checks(strangers, account_messages_per_hour=1, client_messages_per_hour=1)
    assert all([await passes(mail_from(), check) for _ in range(3)])
    bob = origin(account="bob@us.test")
    assert [await passes(mail_from(bob), check) for _ in range(2)] == [True, False]

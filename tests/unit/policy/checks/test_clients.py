import pytest

from postroad.policy import Accept, Defer, Quarantine, Reject
from postroad.policy.checks.clients import (
    ClientName,
    Standing,
    client_name,
    confirmed_name,
    helo_check,
    helo_problem,
    reverse_dns_check,
)
from postroad.policy.checks.strangers import Action
from tests.fake_dns import FakeDns
from tests.unit.policy.checks.asking import ALL, decide, mail_from, origin, verdict

OURS = {"mx.us.test"}
DNS = FakeDns(
    {
        "1.2.0.192.in-addr.arpa": {"PTR": ["other.test", "mx.sender.test"]},
        "mx.sender.test": {"A": ["192.0.2.1"], "AAAA": ["2001:db8::1"]},
        "other.test": {"A": ["192.0.2.99"]},
        "2.2.0.192.in-addr.arpa": {"PTR": ["other.test"]},
        "4.2.0.192.in-addr.arpa": {"PTR": ["!"]},
        "5.2.0.192.in-addr.arpa": {"PTR": ["failing.test"]},
        "failing.test": {"A": ["!"]},
        f"1.{'0.' * 23}8.b.d.0.1.0.0.2.ip6.arpa": {"PTR": ["mx.sender.test"]},
        "6.2.0.192.in-addr.arpa": {"PTR": [f"host{n}.test" for n in range(9)]},
        "host8.test": {"A": ["192.0.2.6"]},
    }
)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("mx.sender.test", ""),
        ("mx.sender.test.", ""),
        ("a_b.sender.test", ""),
        ("[192.0.2.1]", ""),
        ("müller.test", ""),
        ("MX.us.test", "is the name of this server"),
        ("192.0.2.1", "is an address without brackets"),
        ("2001:db8::1", "is an address without brackets"),
        ("[192.0.2.7]", "is an address, and not yours"),
        ("[IPv6:2001:db8::1]", "is an address, and not yours"),
        ("[x]", "is no address, though in brackets"),
        ("localhost", "is no full host name"),
        ("-a.test", "is no full host name"),
        ("a..test", "is no full host name"),
        ("", "is no full host name"),
    ],
)
def test_helo_names(name: str, problem: str) -> None:
    assert helo_problem(name, "192.0.2.1", OURS) == problem


def test_a_literal_of_ipv6() -> None:
    assert helo_problem("[IPv6:2001:db8:0::1]", "2001:db8::1", OURS) == ""


async def test_helo() -> None:
    bad = mail_from(origin(helo="localhost"))
    refused = await verdict(bad, helo_check(Action.REJECT, OURS, ALL))
    assert isinstance(refused, Reject)
    assert refused.reason == "HELO 'localhost' is no full host name"
    assert isinstance(await verdict(bad, helo_check(Action.QUARANTINE, OURS, ALL)), Quarantine)
    assert (await decide(mail_from(), helo_check(Action.REJECT, OURS, ALL))).rulings == ()
    bob = mail_from(origin(helo="localhost", account="bob@us.test"))
    assert (await decide(bob, helo_check(Action.REJECT, OURS, ALL))).rulings == ()


@pytest.mark.parametrize(
    ("client", "name", "standing"),
    [
        ("192.0.2.1", "mx.sender.test", Standing.CONFIRMED),
        ("::ffff:192.0.2.1", "mx.sender.test", Standing.CONFIRMED),
        ("2001:db8::1", "mx.sender.test", Standing.CONFIRMED),
        ("192.0.2.2", "other.test", Standing.UNCONFIRMED),
        ("192.0.2.3", "", Standing.NAMELESS),
        ("192.0.2.4", "", Standing.UNKNOWN),
        ("192.0.2.5", "failing.test", Standing.UNKNOWN),
        ("192.0.2.6", "host0.test", Standing.UNCONFIRMED),  # the ninth is not looked at
    ],
)
async def test_names_that_lead_back(client: str, name: str, standing: Standing) -> None:
    assert await client_name(client, DNS, 1.0) == ClientName(name, standing)


@pytest.mark.parametrize("standing", list(Standing))
def test_a_client_is_called_only_by_a_name_that_leads_back(standing: Standing) -> None:
    expected = "mx.sender.test" if standing is Standing.CONFIRMED else ""
    assert confirmed_name(ClientName("mx.sender.test", standing)) == expected
    assert confirmed_name(None) == ""


async def test_reverse_dns() -> None:
    check = reverse_dns_check(Action.REJECT, ALL, DNS)
    decision = await decide(mail_from(), check)
    assert isinstance(decision.verdict, Accept)
    assert decision.facts == (ClientName("mx.sender.test", Standing.CONFIRMED),)
    refused = await verdict(mail_from(origin("192.0.2.3")), check)
    assert isinstance(refused, Reject)
    assert (refused.reply.enhanced, refused.reason) == ("5.7.25", "192.0.2.3 has no name")
    later = await verdict(mail_from(origin("192.0.2.4")), check)
    assert isinstance(later, Defer), "what cannot be known now is not held against the client"
    noting = reverse_dns_check(Action.NOTE, ALL, DNS)
    noted = await decide(mail_from(origin("192.0.2.4")), noting)
    assert isinstance(noted.verdict, Accept)
    assert noted.rulings[0].reason == "192.0.2.4 cannot be looked up now"
    bob = origin("192.0.2.3", account="bob@us.test")
    assert (await decide(mail_from(bob), check)).rulings == ()

import ipaddress

import pytest

from postroad.model import Reply, ServerKind
from postroad.policy import ACCEPT, Accept, Quarantine, Reject
from postroad.policy.checks.strangers import Action, Strangers, act
from tests.unit.policy.checks.asking import origin

NO = Reply(550, "5.7.1", "No")


def test_who_is_one() -> None:
    everybody = Strangers()
    assert everybody.has(origin())
    assert not everybody.has(origin(account="bob@us.test"))
    assert not everybody.has(origin(server=ServerKind.SUBMISSION))
    assert not everybody.has(origin(server=ServerKind.LOCAL))


@pytest.mark.parametrize(
    ("client", "exempt"),
    [
        ("192.0.2.7", True),
        ("::ffff:192.0.2.7", True),
        ("192.0.3.7", False),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("fe80::1%eth0", False),
        ("", False),
    ],
)
def test_exempt_networks(client: str, exempt: bool) -> None:
    networks = (ipaddress.ip_network("192.0.2.0/24"), ipaddress.ip_network("2001:db8::/32"))
    assert Strangers(networks).exempts(client) is exempt


def test_actions() -> None:
    assert act(Action.OFF, NO, "why") is ACCEPT
    assert act(Action.NOTE, NO, "why") == Accept("why")
    assert act(Action.QUARANTINE, NO, "why", 7) == Quarantine("why", fact=7)
    assert act(Action.REJECT, NO, "why") == Reject(NO, "why")

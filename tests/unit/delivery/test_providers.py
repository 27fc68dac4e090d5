"""Who runs the servers of a route."""

import pytest

from postroad.delivery.providers import limits_of, provider_of
from postroad.delivery.settings import Provider
from postroad.model import Host

KNOWN = (Provider("big", ("mail.big.example", "big.test"), 50),)


@pytest.mark.parametrize(
    ("name", "provider"),
    [
        ("mx1.big.test", "big"),
        ("big.test", "big"),
        ("MX.Mail.Big.Example", "big"),
        ("mx.notbig.test", "notbig.test"),
        ("alt1.gmail-smtp-in.l.google.com", "google"),
        ("kundenserver.de", "gmx-and-web.de"),
        ("mx.there.co.uk", "there.co.uk"),
        ("mx", "mx"),
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::1"),
    ],
)
def test_provider_by_the_best_host(name: str, provider: str) -> None:
    hosts = [Host(name, 10, ("192.0.2.1",)), Host("mx.other.test", 20, ())]
    assert provider_of(hosts, KNOWN) == provider


def test_no_hosts_have_no_provider() -> None:
    assert provider_of([], KNOWN) == ""


def test_limits() -> None:
    assert limits_of("big", KNOWN) is KNOWN[0]
    assert limits_of("other", KNOWN) is None

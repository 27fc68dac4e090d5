"""Which stream a message belongs to."""

import pytest

from postroad.model import Address, Origin, ServerKind
from postroad.service.streams import StreamRule, Streams

STREAMS = Streams(
    [
        StreamRule("codes", ("otp@shop.test",), ("robot@shop.test",)),
        StreamRule("shop", ("@shop.test",)),
        StreamRule("news", (), ("@news.test",)),
    ]
)


@pytest.mark.parametrize(
    ("sender", "account", "stream"),
    [
        ("otp@shop.test", None, "codes"),
        ("OTP@Shop.Test", None, "codes"),
        ("otp@shop.test", "jo@elsewhere.test", "codes"),
        ("other@shop.test", None, "shop"),
        ("other@sub.shop.test", None, "default"),
        ("otp@shop.test", "ed@news.test", "news"),  # accounts go before senders
        ("x@elsewhere.test", "Robot@shop.test", "codes"),
        ("x@elsewhere.test", "root", "default"),  # the sendmail command knows a user's name
        (None, "ed@news.test", "news"),
        (None, None, "default"),
        ("x@elsewhere.test", None, "default"),
    ],
)
def test_of(sender: str | None, account: str | None, stream: str) -> None:
    address = None if sender is None else Address.parse(sender)
    assert STREAMS.of(address, Origin(ServerKind.SUBMISSION, account=account)) == stream
    assert STREAMS.of(address, Origin(ServerKind.LOCAL, account=account)) == stream


@pytest.mark.parametrize("server", [ServerKind.MX, ServerKind.LMTP, ServerKind.DSN])
def test_strangers_choose_no_stream(server: ServerKind) -> None:
    assert STREAMS.of(Address.parse("otp@shop.test"), Origin(server)) == "default"


def test_no_rules() -> None:
    assert not Streams()
    assert Streams([StreamRule("a", ("@a.test",))])

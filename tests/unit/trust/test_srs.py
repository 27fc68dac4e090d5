"""Senders of forwarded mail: there and back, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.model import Address
from postroad.model.address import LOCAL_PART_MAX_OCTETS
from postroad.trust.srs import MAX_AGE_DAYS, Srs, SrsInvalid, is_srs

NOW = 1_795_600_000.0
DAY = 86_400.0
SECRET, ANOTHER = b"a secret that nobody knows", b"the secret of another host"
OURS, OTHER = Srs(SECRET), Srs(ANOTHER)
JO = Address("jo", "there.test")

LOCAL_PARTS = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='"\\'), min_size=1
)


def there(sender: Address, srs: Srs = OURS, domain: str = "here.test", at: float = NOW) -> Address:
    found = srs.forward(sender, domain, at)
    assert found is not None
    return found


def test_there_and_back() -> None:
    forwarded = there(JO)
    assert forwarded.domain == "here.test"
    assert forwarded.local_part.startswith("SRS0=")
    assert forwarded.local_part.endswith("=there.test=jo")
    assert is_srs(forwarded.local_part)
    assert Address.parse(str(forwarded)) == forwarded
    assert OURS.back(forwarded.local_part, NOW) == JO
    assert OURS.back(forwarded.local_part.upper(), NOW) == Address("JO", "there.test")
    assert OURS.back(forwarded.local_part.replace("SRS0=", "srs0+"), NOW) == JO


@given(LOCAL_PARTS)
def test_any_local_part(local_part: str) -> None:
    sender = Address(local_part, "there.test")
    forwarded = OURS.forward(sender, "here.test", NOW)
    if forwarded is None:
        assert len(sender.quoted_local_part) + 26 > LOCAL_PART_MAX_OCTETS
    elif not is_srs(local_part):
        assert OURS.back(Address.parse(str(forwarded)).local_part, NOW) == sender


def test_three_forwarders_make_the_way_no_longer() -> None:
    first = there(JO, OTHER, "relay.test")
    second = there(first)
    assert second.local_part.startswith("SRS1=")
    third = there(second, OTHER, "last.test")
    assert third.local_part.count("relay.test") == 1
    # The last sends a bounce to the first, which sends it back.
    assert OTHER.back(third.local_part, NOW) == first
    assert OURS.back(second.local_part, NOW) == first
    assert OTHER.back(first.local_part, NOW) == JO


def test_what_is_too_long_is_not_rewritten() -> None:
    assert OURS.forward(Address("a" * 50, "there.test"), "here.test", NOW) is None
    assert OURS.forward(Address("SRS1=abc", "there.test"), "here.test", NOW) is None


def test_age() -> None:
    forwarded = there(JO)
    assert OURS.back(forwarded.local_part, NOW + MAX_AGE_DAYS * DAY) == JO
    with pytest.raises(SrsInvalid, match="older than 21 days"):
        OURS.back(forwarded.local_part, NOW + (MAX_AGE_DAYS + 1) * DAY)
    with pytest.raises(SrsInvalid):  # of tomorrow
        OURS.back(forwarded.local_part, NOW - 2 * DAY)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("=jo", "=joe"),
        lambda text: text.replace("there.test", "where.test"),
        lambda text: text.replace("SRS0=", "SRS0=x"),
        lambda text: text.replace("SRS0=", "SRS1="),
        lambda text: "SRS0=abcdef=ab=there.test=jo",
        lambda text: "SRS0=",
        lambda text: "SRS0==",
        lambda text: "SRS2=" + text[5:],
        lambda text: "jo",
    ],
)
def test_forgeries(change) -> None:  # type: ignore[no-untyped-def]
    forwarded = there(JO)
    with pytest.raises(SrsInvalid):
        OURS.back(change(forwarded.local_part), NOW)


def test_others_cannot_open_ours() -> None:
    with pytest.raises(SrsInvalid, match="not made here"):
        OTHER.back(there(JO).local_part, NOW)
    both = Srs(ANOTHER, (SECRET,))
    assert both.back(there(JO).local_part, NOW) == JO


@given(st.text(max_size=80))
def test_never_raises_anything_else(text: str) -> None:
    for each in (text, f"SRS0={text}", f"SRS1={text}"):
        try:
            OURS.back(each, NOW)
        except SrsInvalid:
            continue


def test_the_secret_is_not_shown() -> None:
    assert "nobody" not in repr(OURS)


def test_a_secret_that_can_be_guessed() -> None:
    with pytest.raises(ValueError, match="can be guessed"):
        Srs(b"short")


@given(st.integers(0, 2**63 - 1))
def test_a_message_stands_for_a_long_sender(message: int) -> None:
    address = OURS.forward_kept(message, "here.test", NOW)
    assert len(address.local_part) < 32
    assert is_srs(address.local_part)
    assert Address.parse(str(address)) == address
    for local_part in (address.local_part, address.local_part.lower(), address.local_part.upper()):
        assert OURS.kept(local_part, NOW + MAX_AGE_DAYS * DAY) == message
    # Another who forwards it does so as with any sender.
    assert OTHER.back(there(address, OTHER).local_part, NOW) == address


def test_a_message_that_is_not_named_by_us() -> None:
    local_part = OURS.forward_kept(7, "here.test", NOW).local_part
    head, _, tail = local_part.rpartition("=")
    other = "1" if tail[-1] == "0" else "0"
    for forged in (
        f"{head}={tail[:-1]}{other}",
        local_part.replace("SRS2=", "SRS2=x"),
        "SRS2=a=b=c",
    ):
        with pytest.raises(SrsInvalid, match="not made here"):
            OURS.kept(forged, NOW)
    with pytest.raises(SrsInvalid, match="not made here"):
        OTHER.kept(local_part, NOW)
    with pytest.raises(SrsInvalid, match="older"):
        OURS.kept(local_part, NOW + (MAX_AGE_DAYS + 1) * DAY)
    for plain in ("jo", "SRS0=abcdef=ab=there.test=jo", "SRS2=abc"):
        assert OURS.kept(plain, NOW) is None

"""Names of mailboxes."""

import pytest

from postroad.model import parse_mailbox_name


def test_names() -> None:
    assert parse_mailbox_name("inbox") == "INBOX"
    assert parse_mailbox_name("JUNK") == "Junk"
    assert parse_mailbox_name("Lists/Pythön 3") == "Lists/Pythön 3"
    assert parse_mailbox_name("x" * 200) == "x" * 200


@pytest.mark.parametrize(
    "name",
    [
        *("", "x" * 201, "../up", "a/../b", ".", "a//b", "/a", "a/", " a", "a ", '"', "%", "a*"),
        *("a\r\nb", "a\0", "a\\b", "a\x7f", "a\u202eb"),
    ],
)
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="mailbox"):
        parse_mailbox_name(name)

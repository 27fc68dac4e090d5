"""Messages in files, mboxes and maildirs."""

from pathlib import Path

from postroad.cli.mailfiles import MAX_OCTETS, messages_in


def test_one_message(tmp_path: Path) -> None:
    path = tmp_path / "one.eml"
    path.write_bytes(b"Subject: x\n\nFrom here\r\n")
    assert list(messages_in(path)) == [b"Subject: x\r\n\r\nFrom here\r\n"]
    path.write_bytes(b"")
    assert list(messages_in(path)) == [b""]


def test_an_mbox(tmp_path: Path) -> None:
    path = tmp_path / "mbox"
    path.write_bytes(
        b"From a@b Wed\nSubject: one\n\ntext\nFrom here on\n>From quoted\n\n"
        b"From c@d Thu\r\nSubject: two\r\n\r\n>>From twice\r\n"
    )
    assert list(messages_in(path)) == [
        b"Subject: one\r\n\r\ntext\r\nFrom here on\r\nFrom quoted\r\n\r\n",
        b"Subject: two\r\n\r\n>From twice\r\n",
    ]


def test_a_maildir(tmp_path: Path) -> None:
    for name in ("cur/2:2,S", "new/1", "tmp/3", ".Sub/cur/4", ".hidden"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    assert list(messages_in(tmp_path)) == [b".Sub/cur/4", b"cur/2:2,S", b"new/1"]


def test_what_is_large_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"Subject: x\n\n" + b"y" * 3 * MAX_OCTETS)
    (found,) = messages_in(path)
    assert MAX_OCTETS <= len(found) < MAX_OCTETS + 100_000
    path.write_bytes(b"From a\n" + b"y\n" * 2 * MAX_OCTETS + b"\nFrom b\nend")
    first, second = messages_in(path)
    assert MAX_OCTETS <= len(first) < 2 * MAX_OCTETS
    assert second == b"end"

"""The rows about JMAP, on few messages."""

from contextlib import ExitStack

import pytest

from bench import jmap_rows
from bench.contest import Scale
from bench.jmap_rows import GetContest, MailboxContest


def test_pages_and_searches_of_a_mailbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jmap_rows, "_MAILBOX", 700)
    monkeypatch.setattr(jmap_rows, "_ASKED", 6)
    with ExitStack() as stack:
        ours, theirs = MailboxContest().open(stack, Scale())
        listed, searched = ours()
    assert theirs is None
    assert 0 < listed < 10_000
    assert 0 < searched < 10_000


def test_envelopes_by_jmap_and_by_imap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jmap_rows, "_MESSAGES", 20)
    with ExitStack() as stack:
        ours, theirs = GetContest().open(stack, Scale())
        assert theirs is not None
        assert [0 < side()[0] < 10_000 for side in (ours, theirs)] == [True, True]

"""Every change survives the journey."""

import typing

import msgspec
import pytest

from postroad.model import (
    Accepted,
    Account,
    AccountAdded,
    AccountRemoved,
    Address,
    Alias,
    AliasAdded,
    AliasRemoved,
    AppPassword,
    AppPasswordAdded,
    AppPasswordRemoved,
    Attempted,
    Body,
    Bounced,
    Change,
    Clicked,
    Complained,
    ContentRef,
    Delivered,
    Delivery,
    DeliveryState,
    Deposited,
    Domain,
    DomainAdded,
    DomainRemoved,
    DomainsJudged,
    Dropped,
    Envelope,
    Expunged,
    Filed,
    Flagged,
    Glance,
    Held,
    Identity,
    IdentityKept,
    IdentityRemoved,
    Judged,
    JunkLearned,
    Leased,
    LoggedIn,
    Login,
    LoginResult,
    Mailbox,
    MailboxAdded,
    MailboxChanged,
    MailboxRemoved,
    Message,
    Moved,
    Noticed,
    Notify,
    Opened,
    Origin,
    PasswordSet,
    PolicyType,
    Recipient,
    Released,
    Reply,
    Result,
    Ret,
    Retried,
    RouteKind,
    RouteTaken,
    Scope,
    ScramKeys,
    ServerKind,
    Step,
    StsMode,
    StsPolicy,
    StsPolicyKept,
    Submission,
    Submitted,
    Suppressed,
    Suppression,
    SuppressionReason,
    TlsCounted,
    TlsFailure,
    TlsReported,
    TlsResult,
    Unknown,
    Unsubscribed,
    Unsuppressed,
    Upload,
    Uploaded,
    Words,
    decode_changes,
    encode_changes,
)

BOB = Address("b ö b", "x.test")
ENVELOPE = Envelope(
    sender=None,
    recipients=(Recipient(BOB, Notify.SUCCESS | Notify.DELAY, "rfc822;b+20ob@x.test"),),
    body=Body.EIGHT_BIT_MIME,
    smtputf8=True,
    ret=Ret.HEADERS,
    envid="id+2B1",
    size=12,
)
MESSAGE = Message(
    7, ENVELOPE, ContentRef(7, 12), Origin(ServerKind.MX, client="192.0.2.1"), 1.5, "<a@b>", 6
)
SCRAM = ScramKeys(b"\x00", 4096, b"\x01", b"\x02")
CHANGES: list[Change] = [
    Accepted(1.0, MESSAGE, (Delivery(7, 0, BOB, BOB, "x.test", notify=Notify(6)),), "node", 9.0),
    Leased(1.0, "node", 2.0, ((7, 0),)),
    Released(1.0, 2.0, ((7, 0),)),
    Attempted(
        2.0,
        7,
        1.0,
        (
            Result(0, Delivered(Reply(250, "2.0.0", "Ok")), DeliveryState.DELIVERED),
            Result(1, Unknown(Reply(451, "4.4.2", "gone")), DeliveryState.DUE, 300.0, True),
        ),
        RouteTaken(RouteKind.MX, "mx.x.test", "192.0.2.2", 25, "TLSv1.3", True, "192.0.2.1"),
        (Step(0.1, "connect", "connected"),),
    ),
    Deposited(1.0, 7, 0, 3, ContentRef(7, 12), b"Return-Path: <>\r\n\xff", 29),
    Held(1.0, "root", ((7, 0),)),
    Retried(1.0, "root", ((7, 0),)),
    Dropped(1.0, "root", ((7, 0),)),
    Expunged(1.0, 3, (1, 2)),
    JunkLearned(5.0, 7, b"\x00\xff", True, ("a", "b"), 10, 5, undo=True),
    Moved(5.0, 7, 8, (1, 3), "ann (command)", "INBOX", "Junk"),
    DomainAdded(1.0, Domain("x.test", BOB, "-")),
    DomainRemoved(1.0, "x.test"),
    AccountAdded(1.0, Account(1, BOB, "$argon2id$", 3)),
    AccountRemoved(1.0, 1),
    Filed(1.0, 3, ContentRef(7, 12), 0.5, ("$seen", "work")),
    Flagged(1.0, 3, (1, 2), ("$seen",), ("work",)),
    Noticed(
        1.0,
        7,
        (Glance(4, 3, 1, 5, (6,), 0.5, True, "a", "b", "c", "{}", Words("a", body="b")),),
        ((3, 2),),
    ),
    MailboxChanged(1.0, 3, "Letters", 10, False),
    MailboxRemoved(1.0, 3, True),
    IdentityKept(1.0, Identity(1, 7, "Ann", "ann@x.test")),
    IdentityRemoved(1.0, 7, 1),
    Uploaded(1.0, Upload(9, 7, ContentRef(9, 12), "image/png", 1.0), 0.0),
    Submitted(1.0, Submission(9, 7, 1, 2, 3, 4, 1.0, "{}"), 100),
    MailboxAdded(9.0, Mailbox(6, 5, "Junk", 7)),
    PasswordSet(1.0, 1, "$argon2id$"),
    PasswordSet(1.0, 1, "$argon2id$", SCRAM),
    AppPasswordAdded(1.0, AppPassword(4, 1, "phone", (Scope.POP3,), b"\xff", SCRAM, 1.0)),
    AppPasswordRemoved(1.0, 1, "phone"),
    DomainsJudged(1.0, (Judged("x.test", 1, 2),), 60.0, 9),
    LoggedIn(1.0, (Login(1.0, 2.0, "b", LoginResult.WRONG, "PLAIN", "pop3", "::1"),), (4,), 9, 0.5),
    AliasAdded(1.0, Alias(BOB, (BOB,))),
    AliasRemoved(1.0, BOB),
    StsPolicyKept(1.0, StsPolicy("x.test", "1", StsMode.ENFORCE, ("*.x.test",), 60, 1.0)),
    TlsCounted(
        1.0,
        "2026-11-25",
        (
            TlsResult("x.test", PolicyType.STS, ("version: STSv1",)),
            TlsResult("x.test", PolicyType.TLSA, (), TlsFailure.VALIDATION, "a", "b", "c", "d"),
        ),
    ),
    TlsReported(1.0, "2026-11-25", "x.test"),
    Bounced(1.0, 7, 0, 8, True, Reply(550, "5.1.1", "no"), "no-such-user", True, "mx.x.test"),
    Bounced(1.0, 7, 0, 8, False),
    Complained(1.0, 7, 0, 8, "abuse", "isp/1"),
    Opened(1.0, 7, 0, "an image proxy"),
    Clicked(1.0, 7, 0, "https://x.test/"),
    Unsubscribed(1.0, 7, 0, "news", "one-click"),
    Suppressed(1.0, (Suppression(BOB, "news", SuppressionReason.COMPLAINT, "8", 1.0),), "root"),
    Unsuppressed(1.0, (BOB,), "news", "root"),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: type(change).__name__)
def test_there_and_back(change: Change) -> None:
    assert decode_changes(encode_changes([change])) == [change]


def test_all_are_here() -> None:
    assert {type(change) for change in CHANGES} == set(typing.get_args(Change))


def test_garbage_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_changes(b'[{"type": "no such change"}]')

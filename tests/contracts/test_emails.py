"""`ports.EmailStore`: what is noticed of mail, in every store, and that all stores say the same."""

import asyncio
import itertools
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from postroad.model import (
    Account,
    AccountAdded,
    AccountRemoved,
    Address,
    Change,
    Combined,
    Condition,
    Domain,
    DomainAdded,
    Expunged,
    Field,
    Filed,
    Flagged,
    Glance,
    Identity,
    IdentityKept,
    IdentityRemoved,
    Mailbox,
    MailboxAdded,
    MailboxChanged,
    MailboxRemoved,
    Moved,
    Noticed,
    Operator,
    Sort,
    SortBy,
    Submission,
    Submitted,
    Upload,
    Uploaded,
    Words,
    unpack_keywords,
)
from postroad.ports import KEEP_STATES, Conflict, Counts
from postroad.storage.memory import MemoryStore
from postroad.storage.sqlite.store import SqliteStore
from tests.contracts.stores import INBOX, Store, commit, number, people, stage

ANN, TRASH = 7, Mailbox(79, 7, "Trash", 1)
NEWEST = (Sort(SortBy.RECEIVED_AT, ascending=False),)


def glance(mailbox: int, uid: int, **fields: Any) -> Glance:
    words = fields.pop("words", Words())
    named = {
        "keys": (),
        "sent_at": None,
        "attachment": False,
        "author": "",
        "addressee": "",
        "subject": "",
        "summary": "{}",
        **fields,
    }
    ids = {"id": 1000 * mailbox + uid, "thread": 1000 * mailbox + uid}
    return Glance(**{**ids, **named}, mailbox=mailbox, uid=uid, words=words)


async def file(store: Store, mailbox: int, *keywords: str, at: float = 5.0, size: int = 9) -> None:
    staged = await stage(store, b"x" * size)
    change = Filed(9.0, mailbox, staged.ref, at, keywords)
    await commit(store, change, contents=[staged])


async def notice(store: Store, *glances: Glance, account: int = ANN) -> None:
    """Notice all there is; what is not given is taken as an empty message."""
    given = {(each.mailbox, each.uid): each for each in glances}
    found, up_to = await store.emails.unnoticed(account, 100)
    seen = tuple(
        given.get((each.mailbox, each.entry.uid), glance(each.mailbox, each.entry.uid))
        for each in found
    )
    await commit(store, Noticed(9.0, account, seen, tuple(up_to.items())))
    assert await store.emails.unnoticed(account, 100) == ([], {})


async def found(
    store: Store, where: Condition | Combined | None, *sort: Sort, limit: int | None = None
) -> list[int]:
    pairs = await store.emails.find(ANN, where, sort or NEWEST, limit)
    assert await store.emails.count(ANN, where) >= len(pairs)
    return [email for email, _ in pairs]


@pytest.fixture
async def filled(store: Store) -> Store:
    """Three messages in INBOX, one in Trash: 1 to 3 and 4, received at 1.0 to 4.0."""
    await people(store)
    await commit(store, MailboxAdded(1.0, TRASH))
    for at, keywords in ((1.0, ("$seen",)), (2.0, ()), (3.0, ("$seen", "work"))):
        await file(store, INBOX, *keywords, at=at, size=int(at))
    await file(store, TRASH.id, "$draft", at=4.0, size=4)
    await notice(
        store,
        glance(INBOX, 1, id=1, thread=1, keys=(5,), words=Words(subject="Grüße und Küsse")),
        glance(INBOX, 2, id=2, thread=2, keys=(6, 5), author="bob", attachment=True),
        glance(INBOX, 3, id=3, thread=3, sent_at=0.5, words=Words(body="so long, and thanks")),
        glance(TRASH.id, 1, id=4, thread=4, keys=(5,), words=Words("Bob", "ann", body="küsse")),
    )
    return store


async def test_nothing_is_known_of_an_account_that_nobody_looked_at(store: Store) -> None:
    await people(store)
    emails = store.emails
    assert (await emails.state(ANN)).state == 0
    assert await emails.boxes(ANN) == []
    assert await emails.counts(ANN) == {}
    assert await emails.find(ANN, None, NEWEST) == []
    assert await emails.unnoticed(ANN, 10) == ([], {INBOX: 1})
    assert await emails.unnoticed(99, 10) == ([], {})
    await commit(store, Noticed(1.0, ANN, (), ((INBOX, 1),)))
    assert [box.id for box in await emails.boxes(ANN)] == [INBOX]
    with pytest.raises(Conflict, match="no account"):
        await commit(store, Noticed(1.0, 99, (), ()))


async def test_what_was_noticed(filled: Store) -> None:
    emails = filled.emails
    found = {each.id: each for each in await emails.emails(ANN, [4, 99, 1, 3, 2])}
    assert list(found) == [4, 1, 3, 2], "in the order asked"
    assert [found[n].thread for n in (1, 2, 3, 4)] == [1, 1, 3, 1], "joined by their keys"
    assert (found[3].mailbox, found[3].uid, found[3].size) == (INBOX, 3, 3)
    assert unpack_keywords(found[3].flags, found[3].keywords) == {"$seen", "work"}
    assert found[2].attachment
    assert await emails.in_threads(ANN, [1, 3, 9]) == {1: [1, 2, 4], 3: [3]}
    assert await emails.counts(ANN) == {INBOX: Counts(3, 1, 2, 1), TRASH.id: Counts(1, 0, 1, 0)}
    assert await emails.emails(8, [1]) == [], "another account's"
    assert await emails.bytes_of(8, [1]) == []
    (where,) = await emails.bytes_of(ANN, [3])
    assert await filled.content.read(where.content) == b"xxx"
    assert await emails.at(ANN, TRASH.id, 1) == 4
    assert await emails.at(8, TRASH.id, 1) is None


F, C = Field, Condition
SEARCHES: list[tuple[Condition | Combined | None, list[int]]] = [
    (None, [4, 3, 2, 1]),
    (C(F.IN_MAILBOX, INBOX), [3, 2, 1]),
    (C(F.IN_MAILBOX, 99), []),
    (C(F.IN_MAILBOX_OTHER_THAN, (TRASH.id, 98)), [3, 2, 1]),
    (C(F.BEFORE, 3.0), [2, 1]),
    (C(F.AFTER, 3.0), [4, 3]),
    (C(F.MIN_SIZE, 3), [4, 3]),
    (C(F.MAX_SIZE, 3), [2, 1]),
    (C(F.KEYWORD, "$seen"), [3, 1]),
    (C(F.KEYWORD, "work"), [3]),
    (C(F.NOT_KEYWORD, "work"), [4, 2, 1]),
    (C(F.SOME_IN_THREAD, "$seen"), [4, 3, 2, 1]),
    (C(F.ALL_IN_THREAD, "$seen"), [3]),
    (C(F.NONE_IN_THREAD, "work"), [4, 2, 1]),
    (C(F.ATTACHMENT, True), [2]),
    (C(F.TEXT, ("kusse",)), [4, 1]),
    (C(F.TEXT, ("KÜSSE", "bob")), [4]),
    (C(F.BODY, ("küsse",)), [4]),
    (C(F.SUBJECT, ("und kusse",)), [1]),
    (C(F.SUBJECT, ("kusse und",)), []),
    (C(F.FROM, ("bob",)), [4]),
    (C(F.TO, ("ann",)), [4]),
    (C(F.CC, ("ann",)), []),
    (C(F.TEXT, ('"',)), []),
    (C(F.BODY, ("long and",)), [3]),
    (Combined(Operator.AND, (C(F.IN_MAILBOX, INBOX), C(F.TEXT, ("kusse",)))), [1]),
    (Combined(Operator.OR, (C(F.TEXT, ("kusse",)), C(F.KEYWORD, "work"))), [4, 3, 1]),
    (Combined(Operator.NOT, (C(F.TEXT, ("kusse",)), C(F.KEYWORD, "work"))), [2]),
    (Combined(Operator.NOT, (C(F.IN_MAILBOX, INBOX),)), [4]),
    (Combined(Operator.AND, ()), [4, 3, 2, 1]),
    (Combined(Operator.OR, ()), []),
    (Combined(Operator.AND, (C(F.IN_MAILBOX, INBOX), C(F.IN_MAILBOX, TRASH.id))), []),
]


@pytest.mark.parametrize(("where", "expected"), SEARCHES, ids=str)
async def test_searching(
    filled: Store, where: Condition | Combined | None, expected: list[int]
) -> None:
    assert await found(filled, where) == expected
    assert await filled.emails.count(ANN, where) == len(expected)
    assert await found(filled, where, limit=2) == expected[:2]
    after = await filled.emails.find(ANN, where, NEWEST, 2, 1)
    assert [email for email, _ in after] == expected[1:3]
    assert await filled.emails.find(8, where, NEWEST) == [], "another account's are not found"


async def test_sorting_and_threads(filled: Store) -> None:
    def by(sort: SortBy, ascending: bool = True, keyword: str = "") -> Sort:
        return Sort(sort, ascending, keyword)

    assert await found(filled, None, by(SortBy.SENT_AT)) == [3, 1, 2, 4]
    assert await found(filled, None, by(SortBy.SIZE, False)) == [4, 3, 2, 1]
    assert await found(filled, None, by(SortBy.FROM, False), by(SortBy.SUBJECT)) == [2, 1, 3, 4]
    assert await found(filled, None, by(SortBy.KEYWORD, False, "work")) == [3, 4, 2, 1]
    threads = by(SortBy.ALL_IN_THREAD, False, "$seen"), by(SortBy.RECEIVED_AT)
    assert await found(filled, None, *threads) == [3, 1, 2, 4]
    assert await found(filled, None, by(SortBy.SOME_IN_THREAD, True, "work")) == [1, 2, 4, 3]
    assert await filled.emails.count(ANN, None, threads=True) == 2


async def test_what_changes_is_told_once_and_in_order(filled: Store) -> None:
    emails = filled.emails
    since = (await emails.state(ANN)).state
    assert await emails.changes(ANN, since, 10) == []
    await commit(filled, Flagged(5.0, INBOX, (3, 1, 99), ("$flagged",), ("work",)))
    await commit(filled, Moved(6.0, INBOX, TRASH.id, (2,), "ann", "INBOX", "Trash"))
    await commit(filled, Expunged(7.0, INBOX, (3, 3)))
    changes = await emails.changes(ANN, since, 10)
    assert [(each.id, each.gone) for each in changes] == [(1, False), (2, False), (3, True)]
    assert [each.changed for each in changes] == sorted(each.changed for each in changes)
    assert await emails.changes(ANN, since, 1) == changes[:1]
    assert changes[2].changed == (await emails.state(ANN)).state
    (moved,) = await emails.emails(ANN, [2])
    assert (moved.mailbox, moved.uid, moved.thread) == (TRASH.id, 2, 1), "it is the same email"
    assert await found(filled, C(F.KEYWORD, "$flagged")) == [1]
    assert await found(filled, C(F.BODY, ("thanks",))) == [], "its words went with it"
    boxes = {box.id: box for box in await emails.boxes(ANN)}
    assert boxes[INBOX].counted == changes[2].changed
    assert boxes[TRASH.id].counted == changes[1].changed
    journey = [type(event.change) for event in await filled.journey.after(0)]
    assert Flagged in journey
    assert Noticed not in journey, "it can be seen again"


async def test_keywords_that_are_there_already_change_nothing(filled: Store) -> None:
    before = await filled.emails.state(ANN)
    await commit(filled, Flagged(5.0, INBOX, (1, 3), ("$seen",), ("$draft",)))
    assert await filled.emails.state(ANN) == before
    with pytest.raises(Conflict):
        await commit(filled, Flagged(5.0, 999, (1,), ("$seen",)))


async def test_own_mailboxes(filled: Store) -> None:
    emails = filled.emails
    await commit(filled, MailboxAdded(1.0, Mailbox(90, ANN, "Letters", 1)))
    await notice(filled)
    since = (await emails.state(ANN)).state
    await commit(filled, MailboxChanged(2.0, 90, "Post", 3, False))
    boxes = {box.id: box for box in await emails.boxes(ANN)}
    assert (boxes[90].name, boxes[90].sort_order, boxes[90].subscribed) == ("Post", 3, False)
    assert boxes[90].changed == since + 1
    refused: list[tuple[Change, str]] = [
        (MailboxChanged(2.0, 90, "Trash", 0, True), "Trash"),
        (MailboxChanged(2.0, INBOX, "In", 0, True), "INBOX"),
        (MailboxChanged(2.0, 999, "In", 0, True), "gone"),
        (MailboxRemoved(2.0, INBOX, True), "INBOX"),
        (MailboxRemoved(2.0, 999, True), "gone"),
        (MailboxRemoved(2.0, TRASH.id, False), "not empty"),
    ]
    for change, words in refused:
        with pytest.raises(Conflict, match=words):
            await commit(filled, change)
    await commit(filled, MailboxRemoved(2.0, 90, False), MailboxRemoved(3.0, TRASH.id, True))
    gone = await emails.boxes_gone(ANN, since)
    assert [each.id for each in gone] == [90, TRASH.id]
    assert [box.id for box in await emails.boxes(ANN)] == [INBOX]
    assert await found(filled, None) == [3, 2, 1]
    assert [each.id for each in await emails.changes(ANN, since, 9) if each.gone] == [4]


async def test_an_entry_is_noticed_once(filled: Store) -> None:
    again = glance(INBOX, 1, id=50)
    taken = glance(INBOX, 4, id=1)
    nowhere = glance(INBOX, 99, id=51)
    await file(filled, INBOX)
    before = await filled.emails.state(ANN)
    await commit(filled, Noticed(1.0, ANN, (again, taken, nowhere), ()))
    assert await filled.emails.state(ANN) == before
    waiting, up_to = await filled.emails.unnoticed(ANN, 10)
    assert [(each.mailbox, each.entry.uid) for each in waiting] == [(INBOX, 4)]
    assert up_to == {INBOX: 5}


async def test_a_thread_ends_with_its_last_email(filled: Store) -> None:
    assert await filled.emails.threads_of(ANN, [5, 6, 7]) == {5: 1, 6: 1}
    await commit(filled, Expunged(1.0, INBOX, (1, 2)))
    assert await filled.emails.threads_of(ANN, [5]) == {5: 1}
    await commit(filled, MailboxRemoved(1.0, TRASH.id, True))
    assert await filled.emails.threads_of(ANN, [5, 6]) == {}


async def test_what_went_too_long_ago_is_not_known(filled: Store) -> None:
    state = await filled.emails.state(ANN)
    assert state.known_since == 0
    assert type(state)(KEEP_STATES + 3).known_since == 3


async def test_identities_uploads_submissions(filled: Store) -> None:
    emails = filled.emails
    ann, other = Identity(1, ANN, "Ann", "ann@example.org"), Identity(2, ANN, "A", "a@example.org")
    await commit(filled, IdentityKept(1.0, ann), IdentityKept(1.0, other))
    await commit(filled, IdentityKept(1.0, Identity(1, ANN, "Ann X", "ann@example.org")))
    assert [each.name for each in await emails.identities(ANN)] == ["Ann X", "A"]
    await commit(filled, IdentityRemoved(1.0, ANN, 2))
    assert len(await emails.identities(ANN)) == 1
    first, second = await stage(filled, b"one"), await stage(filled, b"x" * 5000)
    for staged, at in ((first, 1.0), (second, 9.0)):
        upload = Upload(staged.ref.id, ANN, staged.ref, "text/plain", at)
        await commit(filled, Uploaded(at, upload, at - 5), contents=[staged])
    assert await emails.upload(ANN, first.ref.id) is None, "it was forgotten with the second one"
    kept = await emails.upload(ANN, second.ref.id)
    assert kept is not None
    assert (kept.content.size, kept.media_type) == (5000, "text/plain")
    assert await filled.content.read(kept.content) == b"x" * 5000
    assert await emails.upload(8, second.ref.id) is None
    for each in range(3):
        submission = Submission(each, ANN, 1, 2, 3, 4, 5.0, "{}")
        await commit(filled, Submitted(5.0, submission, 2))
    assert [each.id for each in await emails.submissions(ANN)] == [2, 1]
    await commit(filled, AccountRemoved(9.0, ANN))
    assert await emails.identities(ANN) == []
    assert await emails.submissions(ANN) == []
    assert await emails.upload(ANN, second.ref.id) is None
    assert await emails.find(ANN, None, NEWEST) == []
    assert (await emails.state(ANN)).state == 0


TIMES = st.sampled_from([1.0, 2.0, 3.0])
BOXES = st.sampled_from([77, 78, 79, 80])
UIDS = st.lists(st.integers(1, 6), max_size=3).map(tuple)
KEYWORDS = st.lists(st.sampled_from(["$seen", "$draft", "work", "$flagged"]), max_size=2).map(tuple)
WORDS = st.sampled_from(["apple", "pear", "apple pear", ""])
CHANGES: st.SearchStrategy[Change] = st.one_of(
    st.builds(Flagged, TIMES, BOXES, UIDS, KEYWORDS, KEYWORDS),
    st.builds(
        lambda at, one, two, uids: Moved(at, one, two, uids, "ann", "a", "b"),
        TIMES,
        BOXES,
        BOXES,
        UIDS,
    ),
    st.builds(Expunged, TIMES, BOXES, UIDS),
    st.builds(
        lambda at, box, account: MailboxAdded(at, Mailbox(box, account, f"m{box}", 1)),
        TIMES,
        BOXES,
        st.integers(1, 2),
    ),
    st.builds(
        MailboxChanged, TIMES, BOXES, st.sampled_from(["m78", "x"]), st.just(1), st.booleans()
    ),
    st.builds(MailboxRemoved, TIMES, BOXES, st.booleans()),
    st.builds(
        lambda account: AccountAdded(
            1.0, Account(account, Address(f"u{account}", "example.org"), "h", 76 + account)
        ),
        st.integers(1, 2),
    ),
    st.builds(AccountRemoved, TIMES, st.integers(1, 2)),
)
WHERES = st.recursive(
    st.one_of(
        st.builds(Condition, st.just(Field.IN_MAILBOX), BOXES),
        st.builds(Condition, st.just(Field.BEFORE), TIMES),
        st.builds(Condition, st.just(Field.TEXT), WORDS.map(lambda text: (text or "pear",))),
        st.builds(
            Condition,
            st.sampled_from(
                [
                    Field.KEYWORD,
                    Field.NOT_KEYWORD,
                    Field.ALL_IN_THREAD,
                    Field.SOME_IN_THREAD,
                    Field.NONE_IN_THREAD,
                ]
            ),
            st.sampled_from(["$seen", "work"]),
        ),
    ),
    lambda parts: st.builds(
        Combined, st.sampled_from(Operator), st.lists(parts, max_size=3).map(tuple)
    ),
    max_leaves=4,
)
SORTS = st.lists(
    st.builds(Sort, st.sampled_from(SortBy), st.booleans(), st.sampled_from(["$seen", "work"])),
    max_size=2,
)


class EmailsAgree(RuleBasedStateMachine):
    """Does the same to both stores, and asks both the same."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.sqlite = self.wait(SqliteStore.open(Path(self.folder.name)))
        self.stores: list[Store] = [self.sqlite, MemoryStore()]
        self.ids = itertools.count(1)
        changes: list[Change] = [DomainAdded(1.0, Domain("example.org"))]
        changes += [
            AccountAdded(1.0, Account(n, Address(f"u{n}", "example.org"), "h", 76 + n))
            for n in (1, 2)
        ]
        self.both(
            lambda store: commit(store, *changes, *[MailboxAdded(1.0, Mailbox(79, 1, "m79", 1))])
        )

    def wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        self.wait(self.sqlite.close())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        self.folder.cleanup()

    def both(self, ask: Any) -> Any:
        answers = [self.wait(ask(store)) for store in self.stores]
        assert answers[0] == answers[1]
        return answers[0]

    def try_both(self, *changes: Change, data: bytes | None = None) -> None:
        content = number()

        async def attempt(store: Store) -> str:
            contents = [] if data is None else [await stage(store, data, content_id=content)]
            filed = [
                Filed(1.0, change.mailbox, contents[0].ref, change.received_at, change.keywords)
                if isinstance(change, Filed)
                else change
                for change in changes
            ]
            try:
                await commit(store, *filed, contents=contents)
            except Conflict as error:
                return str(error)
            return ""

        self.both(attempt)

    @rule(changes=st.lists(CHANGES, min_size=1, max_size=3))
    def change(self, changes: list[Change]) -> None:
        self.try_both(*changes)

    @rule(box=BOXES, at=TIMES, keywords=KEYWORDS, size=st.integers(1, 3))
    def file(self, box: int, at: float, keywords: tuple[str, ...], size: int) -> None:
        nothing: Any = None
        self.try_both(Filed(1.0, box, nothing, at, keywords), data=b"x" * size)

    @rule(account=st.integers(1, 2), limit=st.integers(1, 3), data=st.data())
    def notice(self, account: int, limit: int, data: st.DataObject) -> None:
        found, up_to = self.both(lambda store: store.emails.unnoticed(account, limit))
        glances = []
        for each in found:
            keys = tuple(data.draw(st.lists(st.integers(1, 4), max_size=2)))
            words, number = data.draw(WORDS), next(self.ids)
            fields = {"id": number, "thread": number, "keys": keys, "subject": words}
            fields["words"] = Words(body=words)
            glances.append(glance(each.mailbox, each.entry.uid, **fields))
        self.try_both(Noticed(1.0, account, tuple(glances), tuple(up_to.items())))

    @rule(
        account=st.integers(1, 2),
        where=st.none() | WHERES,
        sort=SORTS,
        limit=st.none() | st.just(2),
    )
    def ask(self, account: int, where: Any, sort: list[Sort], limit: int | None) -> None:
        self.both(lambda store: store.emails.find(account, where, sort, limit))
        self.both(lambda store: store.emails.count(account, where))
        self.both(lambda store: store.emails.count(account, where, threads=True))

    @invariant()
    def they_look_the_same(self) -> None:
        for account in (1, 2):
            self.both(lambda store, n=account: store.emails.state(n))
            self.both(lambda store, n=account: store.emails.boxes(n))
            self.both(lambda store, n=account: store.emails.boxes_gone(n, 0))
            self.both(lambda store, n=account: store.emails.counts(n))
            ids = self.both(lambda store, n=account: store.emails.find(n, None, NEWEST))
            numbers = [email for email, _ in ids]
            self.both(lambda store, key=(account, numbers): store.emails.emails(*key))
            self.both(lambda store, n=account: store.emails.changes(n, 0, 100))
            self.both(lambda store, n=account: store.emails.threads_of(n, [1, 2, 3, 4]))
            self.both(lambda store, n=account: store.mailboxes.of_account(n))
        self.both(lambda store: store.journey.after(0))


EmailsAgree.TestCase.settings = settings(max_examples=80, stateful_step_count=20, deadline=None)
TestEmailsAgree = EmailsAgree.TestCase

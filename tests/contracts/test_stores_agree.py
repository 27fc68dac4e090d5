"""Random groups, some of them impossible: all stores say the same and look the same."""

import asyncio
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import psycopg
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from postroad.model import (
    Accepted,
    Account,
    AccountAdded,
    AccountRemoved,
    Address,
    Alias,
    AliasAdded,
    AliasRemoved,
    AnswerKept,
    ApiKey,
    ApiKeyAdded,
    ApiKeyRemoved,
    ApiScope,
    AppPassword,
    AppPasswordAdded,
    AppPasswordRemoved,
    Attempted,
    Bounced,
    Change,
    Clicked,
    Complained,
    ContentRef,
    DeliveryState,
    Deposited,
    Domain,
    DomainAdded,
    DomainRemoved,
    DomainsJudged,
    Dropped,
    Expunged,
    Grant,
    GrantEnded,
    GrantGiven,
    GrantTurned,
    Group,
    Held,
    Judged,
    JunkLearned,
    KeptAnswer,
    Label,
    Leased,
    LoggedIn,
    Login,
    LoginResult,
    Mailbox,
    MailboxAdded,
    Moved,
    Opened,
    OperatorSet,
    Passkey,
    PasskeyAdded,
    PasskeyRemoved,
    PasskeyUsed,
    PasswordSet,
    PolicyType,
    PutOff,
    Quota,
    QuotaSet,
    Released,
    Reply,
    Retried,
    Scope,
    SecondFactor,
    SecondFactorRemoved,
    SecondFactorSet,
    SecondFactorUsed,
    SessionOpened,
    SessionsEnded,
    SessionUsed,
    SourceSpent,
    Staged,
    StsMode,
    StsPolicy,
    StsPolicyKept,
    Suppressed,
    Suppression,
    SuppressionReason,
    Template,
    TemplateActivated,
    TemplateRemoved,
    TemplateSaved,
    TemplateSource,
    TlsCounted,
    TlsFailure,
    TlsReported,
    TlsResult,
    Unsubscribed,
    Unsuppressed,
    Vacation,
    VacationAnswered,
    VacationSet,
    Webhook,
    WebhookAdded,
    WebhookChanged,
    WebhookKind,
    WebhookPost,
    WebhookRemoved,
    WebhookWorked,
    WebSession,
    tag_mark,
)
from postroad.ports import Conflict, MessageQuery, QueueFilter
from postroad.storage.memory import MemoryStore
from postroad.storage.postgres import PostgresStore
from postroad.storage.sqlite.store import SqliteStore
from postroad.storage.transfer.tables import tables
from tests.contracts.stores import SCRAM, Store, deliveries_of, message_of, result
from tests.contracts.test_journey import picture
from tests.postgres import a_database

MESSAGES = st.integers(1, 6)
ORDINALS = st.integers(0, 2)
ACCOUNTS = st.integers(1, 3)
CREDENTIALS = st.sampled_from([b"k1", b"k2"])
TIMES = st.integers(100, 140).map(float)
ADDRESSES = st.sampled_from(
    [Address(local, domain) for local in ("ann", "Bob") for domain in ("example.org", "b.example")]
)
KEYS = st.lists(st.tuples(MESSAGES, ORDINALS), min_size=1, max_size=4, unique=True).map(tuple)
STATES = st.sampled_from([state for state in DeliveryState if state is not DeliveryState.LEASED])


@st.composite
def accepted(draw: st.DrawFn) -> tuple[Change, Staged]:
    number, at = draw(MESSAGES), draw(TIMES)
    data = b"x" * number
    recipients = draw(st.lists(ADDRESSES, min_size=1, max_size=3))
    ref = ContentRef(number + 100, number)
    message = message_of(ref, *recipients, message=number, at=at, sender=draw(ADDRESSES))
    told = draw(st.sampled_from([None, Label(1, "Hello", ("a",)), Label(1, "", ("a", "b"))]))
    message = replace(message, label=told)
    leased = draw(st.booleans())
    state = DeliveryState.LEASED if leased else DeliveryState.DUE
    deliveries = deliveries_of(message, due_at=at, state=state)
    return Accepted(at, message, deliveries, "n1", at + 5), Staged(ref, data)


@st.composite
def attempted(draw: st.DrawFn) -> Change:
    ordinals = draw(st.lists(ORDINALS, min_size=1, max_size=2, unique=True))
    results = tuple(
        result(ordinal, draw(STATES), due_at=draw(TIMES), delayed=draw(st.booleans()))
        for ordinal in ordinals
    )
    return Attempted(draw(TIMES), draw(MESSAGES), 99.0, results)


@st.composite
def deposited(draw: st.DrawFn) -> Change:
    message = draw(MESSAGES)
    ref = ContentRef(message + 100, message)
    mailbox = draw(ACCOUNTS) + 76
    return Deposited(draw(TIMES), message, draw(ORDINALS), mailbox, ref, b"P", message + 1)


DOMAINS = st.sampled_from(["a.example", "b.example"])
DAYS = st.sampled_from(["2026-11-24", "2026-11-25"])
RESULTS = st.builds(
    TlsResult,
    DOMAINS,
    st.just(PolicyType.STS),
    st.just(("version: STSv1",)),
    st.sampled_from([None, TlsFailure.EXPIRED]),
)
POLICIES = st.builds(
    StsPolicy,
    DOMAINS,
    st.sampled_from(["1", "2"]),
    st.sampled_from(StsMode),
    st.just(("mx.a.example",)),
    st.sampled_from([5, 50]),
    TIMES,
)


STREAMS = st.sampled_from(["", "news"])
SUPPRESSIONS = st.lists(
    st.builds(
        Suppression, ADDRESSES, STREAMS, st.sampled_from(SuppressionReason), st.just("x"), TIMES
    ),
    max_size=3,
).map(tuple)


WEBHOOKS = st.builds(
    Webhook,
    st.integers(1, 2),
    st.sampled_from(["shop", "till"]),
    st.just("https://a.example/"),
    TIMES,
    st.just((WebhookKind.BOUNCED,)),
)
WEBHOOK_POSTS = st.builds(
    lambda sequence, ordinal, dead_at: WebhookPost(
        0, sequence, ordinal, 7, WebhookKind.BOUNCED, "{}", 60.0, 61.0, dead_at=dead_at
    ),
    st.integers(1, 4),
    st.integers(0, 1),
    st.sampled_from([0.0, 70.0]),
)
API_KEYS = st.builds(
    ApiKey,
    st.integers(1, 3),
    st.sampled_from(["shop", "till"]),
    st.just((ApiScope.SEND,)),
    st.just(("a.example",)),
    st.just(b"d"),
    TIMES,
)


TEMPLATE_NAMES = st.sampled_from(["welcome", "letterhead"])
TEMPLATES = st.builds(
    Template,
    TEMPLATE_NAMES,
    st.integers(1, 4),
    st.booleans(),
    st.builds(TemplateSource, text=st.just("Hi"), layout=st.sampled_from(["", "letterhead"])),
    st.just(""),
    TIMES,
    st.just("op"),
)
QUERIES = [
    MessageQuery(),
    MessageQuery(marks=(tag_mark("a"),)),
    MessageQuery(marks=(tag_mark("a"), tag_mark("b")), states=(DeliveryState.DUE,)),
    MessageQuery(recipient="bob@b.example", states=(DeliveryState.HELD, DeliveryState.DROPPED)),
    MessageQuery(recipient="ann@example.org", sender_domains=("b.example",), last=3),
]


CHANGES = st.one_of(
    st.builds(Bounced, TIMES, MESSAGES, ORDINALS, MESSAGES),
    st.builds(Complained, TIMES, MESSAGES, ORDINALS, MESSAGES),
    st.builds(Opened, TIMES, MESSAGES, ORDINALS),
    st.builds(Clicked, TIMES, MESSAGES, ORDINALS, st.just("https://a.example/")),
    st.builds(Unsubscribed, TIMES, MESSAGES, ORDINALS, STREAMS, st.just("page")),
    st.builds(Suppressed, TIMES, SUPPRESSIONS, st.just("op")),
    st.builds(
        Unsuppressed, TIMES, st.lists(ADDRESSES, max_size=3).map(tuple), STREAMS, st.just("op")
    ),
    st.builds(StsPolicyKept, TIMES, POLICIES),
    st.builds(TlsCounted, TIMES, DAYS, st.lists(RESULTS, max_size=3).map(tuple)),
    st.builds(TlsReported, TIMES, DAYS, DOMAINS),
    attempted(),
    deposited(),
    st.builds(Leased, TIMES, st.just("n2"), TIMES, KEYS),
    st.builds(Released, TIMES, TIMES, KEYS),
    st.builds(PutOff, TIMES, TIMES, st.just(Reply(451, "4.7.0", "later")), KEYS),
    st.builds(
        SourceSpent,
        TIMES,
        st.integers(1, 50),
        st.sampled_from(["192.0.2.1", "192.0.2.2"]),
        st.just("a.example"),
        st.integers(1, 5),
        st.integers(1, 12),
    ),
    st.builds(Held, TIMES, st.just("op"), KEYS),
    st.builds(Retried, TIMES, st.just("op"), KEYS, st.sampled_from([0.0, 130.0])),
    st.builds(
        lambda at, key, until: AnswerKept(at, KeptAnswer("ann", key, b"d", "{}", until)),
        TIMES,
        st.sampled_from(["k1", "k2"]),
        TIMES,
    ),
    st.builds(Dropped, TIMES, st.just("op"), KEYS, st.booleans()),
    st.builds(Expunged, TIMES, ACCOUNTS.map(lambda n: n + 76), st.just((1, 3))),
    st.builds(
        Moved,
        TIMES,
        st.integers(77, 82),
        st.integers(77, 82),
        st.lists(st.integers(1, 4), max_size=3).map(tuple),
        st.just("ann"),
        st.just("INBOX"),
        st.just("Junk"),
    ),
    st.builds(AccountRemoved, TIMES, ACCOUNTS),
    st.builds(
        lambda at, number, account: MailboxAdded(at, Mailbox(number + 76, account, "Junk", 9)),
        TIMES,
        st.integers(3, 6),
        ACCOUNTS,
    ),
    st.builds(PasswordSet, TIMES, ACCOUNTS, st.sampled_from(["a", "b"])),
    st.builds(OperatorSet, TIMES, ACCOUNTS, st.booleans(), st.just("root")),
    st.builds(
        lambda at, number, account: SessionOpened(
            at, WebSession(number, account, b"d", at, at, at, "::1", "B"), at - 20, at - 40, 2
        ),
        TIMES,
        st.integers(1, 4),
        ACCOUNTS,
    ),
    st.builds(SessionUsed, TIMES, st.integers(1, 4), st.booleans()),
    st.builds(SessionsEnded, TIMES, ACCOUNTS, st.sampled_from([(), (1, 2)]), st.integers(0, 4)),
    st.builds(
        SecondFactorSet,
        TIMES,
        st.builds(SecondFactor, ACCOUNTS, st.just(b"s"), TIMES, st.just((b"r1", b"r2"))),
    ),
    st.builds(SecondFactorUsed, TIMES, ACCOUNTS, st.integers(0, 3), st.sampled_from([b"", b"r1"])),
    st.builds(SecondFactorRemoved, TIMES, ACCOUNTS),
    st.builds(
        PasskeyAdded,
        TIMES,
        st.builds(Passkey, CREDENTIALS, ACCOUNTS, st.just("key"), st.just(b"k"), st.just(0), TIMES),
        st.just(1),
    ),
    st.builds(PasskeyUsed, TIMES, CREDENTIALS, st.integers(0, 2), TIMES),
    st.builds(PasskeyRemoved, TIMES, ACCOUNTS, CREDENTIALS),
    st.builds(
        lambda at, number, account: GrantGiven(
            at, Grant(number, account, b"c", "C", (), b"d1", at, at, at + 20.0), 2
        ),
        TIMES,
        st.integers(1, 4),
        ACCOUNTS,
    ),
    st.builds(
        GrantTurned,
        TIMES,
        st.integers(1, 4),
        st.just(b"d1"),
        st.sampled_from([b"d1", b"d2"]),
        TIMES,
    ),
    st.builds(GrantEnded, TIMES, ACCOUNTS, st.integers(0, 4)),
    st.builds(QuotaSet, TIMES, ACCOUNTS, st.sampled_from([Quota(), Quota(9), Quota(0, 7)])),
    st.builds(VacationSet, TIMES, ACCOUNTS, st.builds(Vacation, st.booleans(), TIMES)),
    st.builds(
        lambda at, account, sender: VacationAnswered(at, account, sender, at - 9),
        TIMES,
        ACCOUNTS,
        st.sampled_from(["a@x", "b@x"]),
    ),
    st.builds(
        AppPasswordAdded,
        TIMES,
        st.builds(
            AppPassword,
            st.integers(1, 4),
            ACCOUNTS,
            st.sampled_from(["phone", "desk"]),
            st.just((Scope.POP3,)),
            st.just(b"d"),
            st.just(SCRAM),
            TIMES,
        ),
    ),
    st.builds(
        DomainsJudged,
        TIMES,
        st.lists(
            st.builds(Judged, st.sampled_from("abc"), st.integers(0, 3), st.integers(0, 3)),
            max_size=3,
        ).map(tuple),
        st.just(10.0),
        st.integers(0, 3),
    ),
    st.builds(
        JunkLearned,
        TIMES,
        ACCOUNTS,
        st.sampled_from([b"1", b"2", b"3"]),
        st.booleans(),
        st.lists(st.sampled_from("abcd"), max_size=3).map(tuple),
        st.integers(0, 4),
        st.integers(0, 2),
        st.booleans(),
    ),
    st.builds(AppPasswordRemoved, TIMES, ACCOUNTS, st.sampled_from(["phone", "desk"])),
    st.builds(
        LoggedIn,
        TIMES,
        st.lists(
            st.builds(
                Login,
                TIMES,
                TIMES,
                st.sampled_from(["ann@example.org", "eve"]),
                st.sampled_from(LoginResult),
                st.just("PLAIN"),
                st.just("pop3"),
                st.just("192.0.2.1"),
            ),
            max_size=4,
        ).map(tuple),
        st.tuples(st.integers(1, 4)),
        st.integers(0, 5),
        TIMES,
    ),
    st.builds(DomainRemoved, TIMES, st.sampled_from(["example.org", "b.example"])),
    st.builds(AliasAdded, TIMES, st.builds(Alias, ADDRESSES, st.tuples(ADDRESSES))),
    st.builds(AliasRemoved, TIMES, ADDRESSES),
    st.builds(TemplateSaved, TIMES, TEMPLATES, st.integers(1, 3)),
    st.builds(TemplateActivated, TIMES, TEMPLATE_NAMES, st.integers(1, 4), st.just("op")),
    st.builds(TemplateRemoved, TIMES, TEMPLATE_NAMES, st.just("op")),
    st.builds(WebhookAdded, TIMES, WEBHOOKS),
    st.builds(WebhookChanged, TIMES, WEBHOOKS),
    st.builds(WebhookRemoved, TIMES, st.sampled_from(["shop", "till"])),
    st.builds(
        lambda at, hook, cursor, posts, done, keep: WebhookWorked(
            at, hook, cursor, tuple(replace(each, webhook=hook) for each in posts), done, keep
        ),
        TIMES,
        st.integers(1, 2),
        st.none() | st.integers(0, 9),
        st.lists(WEBHOOK_POSTS, max_size=3),
        st.lists(st.tuples(st.integers(1, 4), st.integers(0, 1)), max_size=2).map(tuple),
        st.integers(1, 3),
    ),
    st.builds(ApiKeyAdded, TIMES, API_KEYS),
    st.builds(ApiKeyRemoved, TIMES, st.sampled_from(["shop", "till"])),
    st.builds(
        lambda at, number, address: AccountAdded(at, Account(number, address, "h", number + 76)),
        TIMES,
        ACCOUNTS,
        ADDRESSES,
    ),
    st.builds(
        lambda at, name: DomainAdded(at, Domain(name)),
        TIMES,
        st.sampled_from(["example.org", "b.example"]),
    ),
)


@st.composite
def groups(draw: st.DrawFn) -> Group:
    changes: list[Change] = draw(st.lists(CHANGES, max_size=3))
    contents: tuple[Staged, ...] = ()
    if not changes or draw(st.booleans()):
        change, staged = draw(accepted())
        changes.insert(0, change)
        contents = (staged,)
    return Group(tuple(changes), contents)


class StoresAgree(RuleBasedStateMachine):
    """Does the same to both stores and compares answers and pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.durable = self.wait(self.open(Path(self.folder.name)))
        self.stores: list[Store] = [self.durable, MemoryStore()]
        people = Group(
            (
                DomainAdded(1.0, Domain("example.org")),
                AccountAdded(1.0, Account(1, Address("ann", "example.org"), "h", 77)),
            )
        )
        for store in self.stores:
            self.wait(store.ledger.commit(people))

    async def open(self, path: Path) -> SqliteStore | PostgresStore:
        return await SqliteStore.open(path)

    def wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        self.wait(self.durable.close())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        self.folder.cleanup()

    def both(self, ask: Any) -> Any:
        async def answer(store: Store) -> Any:
            return await ask(store)

        answers = [self.wait(answer(store)) for store in self.stores]
        assert answers[0] == answers[1]
        return answers[0]

    @rule(batch=st.lists(groups(), min_size=1, max_size=5))
    def commit_together(self, batch: list[Group]) -> None:
        async def commit(store: Store) -> list[bool]:
            answers = await asyncio.gather(
                *(store.ledger.commit(group) for group in batch), return_exceptions=True
            )
            for answer in answers:
                assert answer is None or isinstance(answer, Conflict), repr(answer)
            return [answer is None for answer in answers]

        self.both(commit)

    @rule(
        now=TIMES, limit=st.integers(1, 4), exclude=st.sets(st.sampled_from(["local", "b.example"]))
    )
    def lease(self, now: float, limit: int, exclude: set[str]) -> None:
        self.both(
            lambda store: store.queue.lease(
                now=now, until=now + 7, node="n1", limit=limit, exclude=exclude
            )
        )

    @rule(now=TIMES)
    def restart(self, now: float) -> None:
        found = self.both(lambda store: store.queue.leased_by(["n1"]))
        keys = tuple(
            (each.message, each.ordinal) for _, leased in found for each in leased.deliveries
        )
        self.both(lambda store: store.ledger.commit(Group((Released(now, now, keys),))))

    @invariant()
    def they_look_the_same(self) -> None:
        self.both(picture)
        self.both(lambda store: store.queue.find(QueueFilter(states=tuple(DeliveryState))))
        for account in (1, 2, 3):
            self.both(lambda store, number=account: store.junk.totals(number))
            self.both(lambda store, number=account: store.junk.most(number, 9))
            for digest in (b"1", b"2", b"3"):
                self.both(lambda store, key=(account, digest): store.junk.lesson(*key))
            self.both(lambda store, number=account: store.mailboxes.of_account(number))
        self.both(lambda store: store.queue.next_due())
        self.both(lambda store: store.queue.next_due({"local"}))
        self.both(lambda store: store.queue.counts())
        self.both(lambda store: store.journey.after(0))
        self.both(lambda store: store.security.sts_policy("a.example"))
        for day, domain in self.both(lambda store: store.security.tls_days("2026-12")):
            self.both(lambda store, key=(day, domain): store.security.tls_results(*key))
        self.both(lambda store: store.logins.newest())
        self.both(lambda store: store.suppressions.page())
        self.both(lambda store: store.api_keys.list())
        for account in (1, 2, 3):
            self.both(lambda store, number=account: store.sessions.sessions(number))
            self.both(lambda store, number=account: store.sessions.factor(number))
            self.both(lambda store, number=account: store.sessions.passkeys(number))
            self.both(lambda store, number=account: store.sessions.grants(number))
        self.both(lambda store: store.owners.quotas(120.0))
        for account in (1, 2, 3):
            self.both(lambda store, number=account: store.owners.quota(number))
            self.both(lambda store, number=account: store.owners.vacation(number))
            self.both(lambda store, number=account: store.owners.answers(number, 120.0))
            self.both(lambda store, number=account: store.owners.answered(number, "a@x"))
        self.both(lambda store: store.webhooks.all())
        for hook in (1, 2):
            self.both(lambda store, hook=hook: store.webhooks.cursor(hook))
            self.both(lambda store, hook=hook: store.webhooks.waiting(hook, 9))
            self.both(lambda store, hook=hook: store.webhooks.dead(hook, 9))
            self.both(lambda store, hook=hook: store.webhooks.count(hook))
        self.both(lambda store: store.templates.list())
        for name in ("welcome", "letterhead"):
            self.both(lambda store, name=name: store.templates.live(name))
            self.both(lambda store, name=name: store.templates.versions(name))
        for query in QUERIES:
            self.both(lambda store, query=query: store.labels.find(query, 9))
        for key in ("k1", "k2"):
            self.both(lambda store, key=key: store.labels.answer("ann", key, 120.0))
        self.both(lambda store: store.standing.most())
        for day in (1, 15, 50):
            self.both(lambda store, day=day: store.sources.of_day(day))
        memory = self.stores[1]
        assert isinstance(memory, MemoryStore)
        kept = self.wait(
            self.durable.database.browse(
                lambda c: c.execute("SELECT id FROM content ORDER BY id").fetchall()
            )
        )
        assert [row[0] for row in kept] == sorted(memory.state.contents)


class PostgresAgrees(StoresAgree):
    """The same on PostgreSQL. One database for all examples, since it takes long to make one."""

    url = ""

    async def open(self, path: Path) -> SqliteStore | PostgresStore:
        cls = type(self)
        if not cls.url:
            cls.url = a_database()
        else:
            names = [table.name for table in tables()]
            with psycopg.connect(cls.url) as connection:
                for name in (*names, "email_words", "commit_id"):
                    connection.execute(f"DELETE FROM {name}".encode())
        return await PostgresStore.open(cls.url, path)


StoresAgree.TestCase.settings = settings(max_examples=60, stateful_step_count=12, deadline=None)
TestStoresAgree = StoresAgree.TestCase
PostgresAgrees.TestCase.settings = settings(
    max_examples=12, stateful_step_count=8, deadline=None, suppress_health_check=list(HealthCheck)
)
TestPostgresAgrees = PostgresAgrees.TestCase

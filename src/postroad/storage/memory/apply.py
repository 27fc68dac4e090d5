"""One function per kind of change: what it does to the state, or the `Conflict` it raises."""

from typing import Any

from msgspec.structs import replace

from postroad.model import (
    Accepted,
    AccountRemoved,
    AnswerKept,
    Attempted,
    Bounced,
    Change,
    Clicked,
    Complained,
    DeliveryState,
    Deposited,
    DomainHistory,
    DomainsJudged,
    Dropped,
    Expunged,
    FiguresCounted,
    Group,
    Held,
    JunkLearned,
    Leased,
    LoggedIn,
    LoginResult,
    Moved,
    Opened,
    PutOff,
    Released,
    Result,
    Retried,
    SourceSpent,
    StsPolicyKept,
    Suppressed,
    TlsCounted,
    TlsReported,
    Unsubscribed,
    Unsuppressed,
)
from postroad.ports import Entry, JourneyEvent
from postroad.storage import conflicts
from postroad.storage.bounds import TLS_RESULTS_PER_DAY
from postroad.storage.memory import (
    api_keys,
    directory,
    email_state,
    figures,
    junk,
    labels,
    owners,
    sessions,
    templates,
    webhooks,
)
from postroad.storage.memory.moves import moved
from postroad.storage.memory.sources import put_off, spend
from postroad.storage.memory.state import QueuedDelivery, State, Undo, with_state
from postroad.storage.ordering import deposits_first

_DUE, _LEASED, _HELD = DeliveryState.DUE, DeliveryState.LEASED, DeliveryState.HELD


class Application:
    """Applies one group to the state; `undo` takes it back."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.undo = Undo()
        self._suspects: set[int] = set()
        self._sequence = state.next_sequence

    def apply(self, group: Group, files: dict[int, bytes]) -> None:
        """Apply all changes in order, then forget contents that nobody needs. Raises `Conflict`."""
        state = self.state
        for staged in group.contents:
            if staged.ref.id in state.contents:
                raise conflicts.content_stored(staged.ref.id)
            data = files[staged.ref.id] if staged.data is None else staged.data
            self.undo.put(state.contents, staged.ref.id, data)
        for change in deposits_first(group.changes):
            _APPLY[type(change)](self, change)
        self._sweep()
        state.next_sequence = self._sequence

    def note(self, change: Change, message: int | None = None) -> None:
        """Append to the journey."""
        event = JourneyEvent(self._sequence, change.at, change)
        self.undo.put(self.state.journey, self._sequence, (message, event))
        self._sequence += 1

    def sweep_later(self, content: int) -> None:
        """Look at the end of the group whether anybody needs the content."""
        self._suspects.add(content)

    def _sweep(self) -> None:
        for content in self._suspects:
            if not self.state.needed(content):
                self.undo.delete(self.state.contents, content)


def _accepted(do: Application, change: Accepted) -> None:
    state, message = do.state, change.message
    if message.id in state.messages:
        raise conflicts.message_stored(message.id)
    do.undo.put(state.messages, message.id, message)
    for delivery in change.deliveries:
        key = (delivery.message, delivery.ordinal)
        if key in state.deliveries:
            raise conflicts.given_twice()
        leased = delivery.state is _LEASED
        wake_at = change.until if leased else delivery.due_at
        queued = QueuedDelivery(
            delivery,
            wake_at if delivery.state in (_DUE, _LEASED) else None,
            change.node if leased else None,
            change.at if delivery.state.final else None,
        )
        do.undo.put(state.deliveries, key, queued)
    if all(delivery.state.final for delivery in change.deliveries):
        do.sweep_later(message.content.id)
    do.note(change, message.id)


def _attempted(do: Application, change: Attempted) -> None:
    for result in change.results:
        key = (change.message, result.ordinal)
        queued = do.state.deliveries.get(key)
        if queued is None:
            raise conflicts.no_delivery(*key)
        do.undo.put(do.state.deliveries, key, _after(queued, result, change.at))
        if result.state.final:
            do.sweep_later(do.state.messages[change.message].content.id)
    do.note(change, change.message)


def _after(queued: QueuedDelivery, result: Result, at: float) -> QueuedDelivery:
    """A delivery that ended meanwhile stays ended; a held one stays held unless this ends it."""
    old = queued.delivery
    delivery = replace(
        old,
        attempts=old.attempts + 1,
        delay_notified=old.delay_notified or result.delayed,
        last=result.outcome.reply,
    )
    if queued.ended_at is not None:
        return QueuedDelivery(delivery, None, None, queued.ended_at)
    due_at = result.due_at if result.state is _DUE else old.due_at
    if old.state is _HELD and result.state is _DUE:
        return QueuedDelivery(replace(delivery, due_at=due_at), None, None, None)
    return QueuedDelivery(
        replace(delivery, state=result.state, due_at=due_at),
        result.due_at if result.state in (_DUE, _LEASED) else None,
        None,
        at if result.state.final else None,
    )


def _deposited(do: Application, change: Deposited) -> None:
    state = do.state
    stored = state.mailboxes.get(change.mailbox)
    if stored is None:
        raise conflicts.mailbox_gone(change.mailbox)
    queued = state.deliveries.get((change.message, change.ordinal))
    if queued is not None and queued.ended_at is not None:
        raise conflicts.delivery_ended(change.message, change.ordinal)
    if change.content.id not in state.contents:
        raise conflicts.content_gone(change.content.id)
    uid = stored.uid_next
    modseq = stored.modseq + 1
    entry = Entry(
        uid, change.prefix, change.content, change.size, change.message, change.at, modseq
    )
    do.undo.put(state.entries[change.mailbox], uid, entry)
    grown = replace(stored, uid_next=uid + 1, modseq=modseq)
    do.undo.put(state.mailboxes, change.mailbox, grown)
    do.note(change, change.message)


def _leased(do: Application, change: Leased) -> None:
    for key in change.keys:
        queued = do.state.deliveries.get(key)
        if queued is not None and queued.delivery.state in (_DUE, _LEASED):
            delivery = replace(queued.delivery, state=_LEASED)
            taken = QueuedDelivery(delivery, change.until, change.node, None)
            do.undo.put(do.state.deliveries, key, taken)


def _released(do: Application, change: Released) -> None:
    for key in change.keys:
        queued = do.state.deliveries.get(key)
        if queued is not None and queued.delivery.state is _LEASED:
            do.undo.put(do.state.deliveries, key, with_state(queued, _DUE, due_at=change.due_at))


def _by_operator(do: Application, change: Held | Retried | Dropped) -> None:
    """Change what can be changed; the journey gets an event per message, of those keys alone."""
    done: dict[int, list[tuple[int, int]]] = {}
    for key in change.keys:
        queued = do.state.deliveries.get(key)
        if queued is None or (new := _commanded(queued, change)) is None:
            continue
        do.undo.put(do.state.deliveries, key, new)
        done.setdefault(key[0], []).append(key)
        if isinstance(change, Dropped):
            do.sweep_later(do.state.messages[key[0]].content.id)
    for message, keys in done.items():
        do.note(replace(change, keys=tuple(keys)), message)


def _commanded(queued: QueuedDelivery, change: Held | Retried | Dropped) -> QueuedDelivery | None:
    state = queued.delivery.state
    if isinstance(change, Dropped) and queued.ended_at is None:
        if change.cancelled and state is _LEASED:
            return None
        return replace(with_state(queued, DeliveryState.DROPPED), ended_at=change.at)
    if isinstance(change, Held) and state in (_DUE, _LEASED):
        return with_state(queued, _HELD)
    if isinstance(change, Retried) and state in (_DUE, _HELD):
        return with_state(queued, _DUE, due_at=change.due_at or change.at)
    return None


def _expunged(do: Application, change: Expunged) -> None:
    stored = do.state.mailboxes.get(change.mailbox)
    if stored is None:
        raise conflicts.mailbox_gone(change.mailbox)
    entries = do.state.entries[change.mailbox]
    for uid in change.uids:
        if uid in entries:
            do.sweep_later(entries[uid].content.id)
            do.undo.delete(entries, uid)
            email_state.entry_gone(do, change.mailbox, uid)
    shrunk = replace(stored, modseq=stored.modseq + 1)
    do.undo.put(do.state.mailboxes, change.mailbox, shrunk)
    do.note(change)


def _account_removed(do: Application, change: AccountRemoved) -> None:
    state = do.state
    if change.account not in state.accounts:
        raise conflicts.no_account(change.account)
    do.undo.delete(state.accounts, change.account)
    junk.forget(do, change.account)
    email_state.account_removed(do, change.account)
    sessions.account_removed(do, change.account)
    owners.account_removed(do, change.account)
    for key in [key for key in state.app_passwords if key[0] == change.account]:
        do.undo.delete(state.app_passwords, key)
    for number, stored in list(state.mailboxes.items()):
        if stored.mailbox.account == change.account:
            for entry in state.entries[number].values():
                do.sweep_later(entry.content.id)
            do.undo.delete(state.mailboxes, number)
            do.undo.delete(state.entries, number)
    do.note(change)


def _logged_in(do: Application, change: LoggedIn) -> None:
    state = do.state
    for sequence, login in enumerate(change.logins, max(state.logins, default=0) + 1):
        do.undo.put(state.logins, sequence, login)
    for sequence in [s for s, login in state.logins.items() if login.at < change.since]:
        do.undo.delete(state.logins, sequence)
    for let_in in (False, True):
        those = [s for s, one in state.logins.items() if (one.result is LoginResult.OK) is let_in]
        for sequence in sorted(those)[: max(0, len(those) - change.keep)]:
            do.undo.delete(state.logins, sequence)
    for key, known in list(state.app_passwords.items()):
        if known.id in change.used:
            do.undo.put(state.app_passwords, key, replace(known, used_at=change.at))


def _domains_judged(do: Application, change: DomainsJudged) -> None:
    standing = do.state.standing
    for judged in change.judged:
        known = standing.get(judged.domain) or DomainHistory(judged.domain, 0, 0, change.at)
        new = known.later(judged, change.at, change.half_life_seconds)
        do.undo.put(standing, judged.domain, new)
    newest = sorted(standing.values(), key=lambda each: (each.at, each.domain), reverse=True)
    for each in newest[change.keep :]:
        do.undo.delete(standing, each.domain)


def _came_back(
    do: Application, change: Bounced | Complained | Opened | Clicked | Unsubscribed
) -> None:
    if change.message in do.state.messages:
        do.note(change, change.message)


def _suppressed(do: Application, change: Suppressed) -> None:
    known = do.state.suppressions
    fresh = []
    for each in change.suppressions:
        key = (each.stream, each.address.folded)
        if key not in known:
            do.undo.put(known, key, each)
            fresh.append(each)
    if fresh:
        do.note(replace(change, suppressions=tuple(fresh)))


def _unsuppressed(do: Application, change: Unsuppressed) -> None:
    known = do.state.suppressions
    gone = []
    for address in change.addresses:
        key = (change.stream, address.folded)
        if key in known:
            do.undo.delete(known, key)
            gone.append(address)
    if gone:
        do.note(replace(change, addresses=tuple(gone)))


def _answer_kept(do: Application, change: AnswerKept) -> None:
    labels.keep(do.state, do.undo, change)


def _sts_policy_kept(do: Application, change: StsPolicyKept) -> None:
    policies = do.state.sts_policies
    for domain in [name for name, kept in policies.items() if kept.expires_at <= change.at]:
        do.undo.delete(policies, domain)
    do.undo.put(policies, change.policy.domain, change.policy)


def _tls_counted(do: Application, change: TlsCounted) -> None:
    for result in change.results:
        key = (change.day, result.domain)
        counts = do.state.tls_results.get(key)
        if counts is None:
            counts = {}
            do.undo.put(do.state.tls_results, key, counts)
        if result in counts or len(counts) < TLS_RESULTS_PER_DAY:
            do.undo.put(counts, result, counts.get(result, 0) + 1)


def _tls_reported(do: Application, change: TlsReported) -> None:
    do.undo.delete(do.state.tls_results, (change.day, change.domain))


_APPLY: dict[type, Any] = {
    Accepted: _accepted,
    Attempted: _attempted,
    Deposited: _deposited,
    Leased: _leased,
    Released: _released,
    PutOff: put_off,
    SourceSpent: spend,
    FiguresCounted: figures.count,
    Held: _by_operator,
    Retried: _by_operator,
    Dropped: _by_operator,
    Expunged: _expunged,
    Moved: moved,
    AccountRemoved: _account_removed,
    LoggedIn: _logged_in,
    DomainsJudged: _domains_judged,
    JunkLearned: junk.learn,
    Bounced: _came_back,
    Complained: _came_back,
    Opened: _came_back,
    Clicked: _came_back,
    Unsubscribed: _came_back,
    Suppressed: _suppressed,
    Unsuppressed: _unsuppressed,
    **api_keys.APPLY,
    AnswerKept: _answer_kept,
    StsPolicyKept: _sts_policy_kept,
    TlsCounted: _tls_counted,
    TlsReported: _tls_reported,
    **email_state.APPLY,
    **templates.APPLY,
    **webhooks.APPLY,
    **directory.APPLY,
    **sessions.APPLY,
    **owners.APPLY,
}

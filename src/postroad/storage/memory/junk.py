"""`ports.JunkStore` in memory, and how what was taught alters the state."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from postroad.model import JunkLearned, JunkTotals, TokenCount
from postroad.storage.conflicts import no_account
from postroad.storage.memory.state import State

if TYPE_CHECKING:
    from postroad.storage.memory.apply import Application


class MemoryJunk:
    """See `ports.JunkStore`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def totals(self, account: int) -> JunkTotals:
        """Return how much an account's owner taught."""
        found = self._state.junk_totals.get(account)
        if found is None:
            return JunkTotals()
        return JunkTotals(*found, sum(key[0] == account for key in self._state.junk_tokens))

    async def taught(self, account: int) -> JunkTotals:
        """Return the same without counting the tokens."""
        return JunkTotals(*self._state.junk_totals.get(account, (0, 0)))

    async def counts(self, account: int, tokens: Sequence[str]) -> list[TokenCount]:
        """Return those of the tokens that are known."""
        known = self._state.junk_tokens
        return [
            TokenCount(token, *known[account, token][:2])
            for token in dict.fromkeys(tokens)
            if (account, token) in known
        ]

    async def lesson(self, account: int, digest: bytes) -> bool | None:
        """Return as what a message was learned, None where it was not."""
        found = self._state.junk_lessons.get((account, digest))
        return None if found is None else found[0]

    async def most(self, account: int, limit: int) -> list[TokenCount]:
        """Return the tokens that were in most messages, most first."""
        found = [
            TokenCount(token, spam, ham)
            for (owner, token), (spam, ham, _) in self._state.junk_tokens.items()
            if owner == account
        ]
        return sorted(found, key=lambda each: (-each.spam - each.ham, each.token))[:limit]


def learn(do: "Application", change: JunkLearned) -> None:
    """Learn a message or take it back. Raises `Conflict`."""
    state, undo, account = do.state, do.undo, change.account
    if account not in state.accounts:
        raise no_account(account)
    lesson = state.junk_lessons.get((account, change.digest))
    known = None if lesson is None else lesson[0]
    if known is not (change.spam if change.undo else None):
        return
    sign = -1 if change.undo else 1
    spam, ham = sign * change.spam, sign * (not change.spam)
    before = state.junk_totals.get(account, (0, 0))
    undo.put(state.junk_totals, account, (max(0, before[0] + spam), max(0, before[1] + ham)))
    if change.undo:
        undo.delete(state.junk_lessons, (account, change.digest))
    else:
        undo.put(state.junk_lessons, (account, change.digest), (change.spam, change.at))
        lessons = [
            (at, digest)
            for (owner, digest), (_, at) in state.junk_lessons.items()
            if owner == account
        ]
        for _, digest in sorted(lessons, reverse=True)[change.keep_lessons :]:
            undo.delete(state.junk_lessons, (account, digest))
    for token in dict.fromkeys(change.tokens):
        _count(do, change, (account, token), spam, ham)
    if not change.undo:
        tokens = [
            (at, token)
            for (owner, token), (_, _, at) in state.junk_tokens.items()
            if owner == account
        ]
        for _, token in sorted(tokens, reverse=True)[change.keep_tokens :]:
            undo.delete(state.junk_tokens, (account, token))


def _count(
    do: "Application", change: JunkLearned, key: tuple[int, str], spam: int, ham: int
) -> None:
    tokens = do.state.junk_tokens
    known = tokens.get(key)
    if change.undo and known is None:
        return
    was_spam, was_ham, at = known or (0, 0, change.at)
    now = (max(0, was_spam + spam), max(0, was_ham + ham))
    if now == (0, 0):
        do.undo.delete(tokens, key)
    else:
        do.undo.put(tokens, key, (*now, at if change.undo else change.at))


def forget(do: "Application", account: int) -> None:
    """Forget all that an account's owner taught."""
    do.undo.delete(do.state.junk_totals, account)
    for token_key in [key for key in do.state.junk_tokens if key[0] == account]:
        do.undo.delete(do.state.junk_tokens, token_key)
    for lesson_key in [key for key in do.state.junk_lessons if key[0] == account]:
        do.undo.delete(do.state.junk_lessons, lesson_key)

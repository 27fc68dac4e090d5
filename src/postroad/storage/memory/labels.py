"""`ports.LabelStore` in memory, and how its changes are applied."""

from collections.abc import Sequence

from postroad.model import AnswerKept, KeptAnswer
from postroad.ports import MessageQuery
from postroad.storage.conflicts import answer_kept
from postroad.storage.memory.state import State, Undo


class MemoryLabels:
    """See `ports.LabelStore`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def find(self, query: MessageQuery, limit: int) -> Sequence[int]:
        """Return the ids of messages that fit, the newest first."""
        found = sorted(each for each in self._state.messages if self._fits(each, query))
        return found[::-1][:limit]

    async def answer(self, scope: str, key: str, now: float) -> KeptAnswer | None:
        """Return what was answered to a request with that key, while it is kept."""
        kept = self._state.answers.get((scope, key))
        return kept if kept is not None and kept.expires_at > now else None

    def _fits(self, number: int, query: MessageQuery) -> bool:
        message = self._state.messages[number]
        if not query.first <= number <= query.last:
            return False
        deliveries = [each.delivery for each in self._state.ordinals(number)]
        if query.recipient and not any(
            query.recipient in (each.recipient.folded, each.original.folded) for each in deliveries
        ):
            return False
        if query.states and not any(each.state in query.states for each in deliveries):
            return False
        sender = message.envelope.sender
        if query.sender_domains and (
            sender is None or sender.domain.lower() not in query.sender_domains
        ):
            return False
        marks = [] if message.label is None else message.label.marks()
        return all(mark in marks for mark in query.marks)


def keep(state: State, undo: Undo, change: AnswerKept) -> None:
    """Raises `KeyTaken` where the key has an answer that is still kept."""
    fresh = change.answer
    for where in [w for w, kept in state.answers.items() if kept.expires_at <= change.at]:
        undo.delete(state.answers, where)
    if (fresh.scope, fresh.key) in state.answers:
        raise answer_kept(fresh.key)
    undo.put(state.answers, (fresh.scope, fresh.key), fresh)

"""Whether a message is junk to the one whose mailbox it comes to, by what that one taught.

Nothing is asked of accounts whose owner has not taught enough of both kinds: no message of theirs is
looked at.
"""

import asyncio

from msgspec import Struct

from postroad.mailbox.bayes import Clue, Judgement, judge
from postroad.message.tokens import MAX_MESSAGE_OCTETS, MAX_TOKENS, tokens_of
from postroad.model import ContentRef
from postroad.ports import ContentStore, JunkStore

THREAD_FROM_OCTETS = 32_768
"""Larger messages are read in a thread: one that is made for it takes a tenth of a second."""

TOLD_CLUES = 5
"""Words that the journey tells, of each kind."""


class JunkSettings(Struct, frozen=True):
    """What is junk, and what is kept of what was taught.

    A message whose score is `threshold` or more goes into Junk, where the account learned at least
    `min_messages` of each kind. `max_tokens` and `max_lessons` are kept per account, the newest;
    `message_tokens` are made of one message.
    """

    threshold: float = 0.95
    min_messages: int = 50
    max_tokens: int = 50_000
    max_lessons: int = 20_000
    message_tokens: int = MAX_TOKENS


class JunkFilter:
    """Judges messages."""

    def __init__(self, *, store: JunkStore, content: ContentStore, settings: JunkSettings) -> None:
        self._store = store
        self._content = content
        self.settings = settings

    async def ready(self, account: int) -> bool:
        """Whether the owner of an account taught enough. Raises `StorageError`."""
        totals = await self._store.taught(account)
        return min(totals.spam, totals.ham) >= self.settings.min_messages

    async def tokens(self, content: ContentRef) -> tuple[str, ...]:
        """Return the tokens of a stored message. Raises `StorageError`."""
        data = await self._content.read(content, 0, MAX_MESSAGE_OCTETS)
        if len(data) > THREAD_FROM_OCTETS:
            return await asyncio.to_thread(tokens_of, data, self.settings.message_tokens)
        return tokens_of(data, self.settings.message_tokens)

    async def judge(self, account: int, tokens: tuple[str, ...]) -> Judgement:
        """Judge a message by its tokens. Raises `StorageError`."""
        totals = await self._store.taught(account)
        return judge(await self._store.counts(account, tokens), totals)

    def is_junk(self, judgement: Judgement) -> bool:
        """Whether it goes into Junk."""
        return judgement.score >= self.settings.threshold

    def in_words(self, judgement: Judgement, seconds: float) -> str:
        """Return what the journey tells, as of any check: verdict, time, reason."""
        verdict = "quarantine" if self.is_junk(judgement) else "accept"
        clues = judgement.clues
        parts = [
            f"{judgement.score:.3f} of {self.settings.threshold:g}",
            _listed("junk", [clue for clue in clues if clue.probability > 0.5]),
            _listed("ham", [clue for clue in clues if clue.probability < 0.5]),
        ]
        return f"junk: {verdict} ({seconds * 1000:.1f} ms): {'; '.join(filter(None, parts))}"


def _listed(kind: str, clues: list[Clue]) -> str:
    if not clues:
        return ""
    told = ", ".join(f"{_clean(each.token)} {each.probability:.2f}" for each in clues[:TOLD_CLUES])
    return f"words of {kind}: {told}"


def _clean(token: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in token)

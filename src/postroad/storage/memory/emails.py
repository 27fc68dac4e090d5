"""`ports.EmailStore` in memory: conditions and sort criteria are evaluated email by email."""

import re
import unicodedata
from collections.abc import Callable, Sequence

from postroad.model import (
    DRAFT,
    SEEN,
    WORD_FIELDS,
    Combined,
    Condition,
    Field,
    Identity,
    Operator,
    Sort,
    SortBy,
    Submission,
    Upload,
    Words,
    pack_keywords,
)
from postroad.ports import (
    Box,
    BoxGone,
    Counts,
    Email,
    EmailBytes,
    EmailChange,
    EmailState,
    Unnoticed,
)
from postroad.storage.memory.email_state import StoredEmail
from postroad.storage.memory.state import State

_WORD = re.compile(r"[^\W_]+")


class MemoryEmails:
    """See `ports.EmailStore`."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._tables = state.emails

    def _of(self, account: int) -> list[StoredEmail]:
        return [each for each in self._tables.emails.values() if each.account == account]

    def _known(self, account: int, ids: Sequence[int]) -> list[StoredEmail]:
        found = (self._tables.emails.get(each) for each in ids)
        return [each for each in found if each is not None and each.account == account]

    async def state(self, account: int) -> EmailState:
        """Return how far the account's counter is."""
        return EmailState(self._tables.states.get(account, 0))

    async def unnoticed(self, account: int, limit: int) -> tuple[list[Unnoticed], dict[int, int]]:
        """Return at most `limit` entries that are not noticed, and what `Noticed.up_to` is to say."""
        found: list[Unnoticed] = []
        up_to: dict[int, int] = {}
        for number, stored in sorted(self._state.mailboxes.items()):
            box = self._tables.boxes.get(number)
            if stored.mailbox.account != account or (box and box.noticed_uid >= stored.uid_next):
                continue
            first, left = box.noticed_uid if box else 1, limit - len(found)
            if left <= 0:
                if box is None:
                    up_to[number] = first
                continue
            uids = sorted(
                uid
                for uid in self._state.entries[number]
                if uid >= first and (number, uid) not in self._tables.of_entry
            )[:left]
            found += [Unnoticed(number, self._state.entries[number][uid]) for uid in uids]
            up_to[number] = stored.uid_next if len(uids) < left else uids[-1] + 1
        return found, up_to

    async def threads_of(self, account: int, keys: Sequence[int]) -> dict[int, int]:
        """Return the threads of those keys that are known."""
        known = self._tables.threads
        return {key: known[account, key] for key in keys if (account, key) in known}

    async def boxes(self, account: int) -> list[Box]:
        """Return the account's mailboxes that were noticed."""
        return [
            self._tables.box(number, self._state.mailboxes[number].mailbox.name)
            for number, box in sorted(self._tables.boxes.items())
            if box.account == account
        ]

    async def boxes_gone(self, account: int, since: int) -> list[BoxGone]:
        """Return the mailboxes that went after a state."""
        found = sorted(self._tables.boxes_gone.items())
        return [box for (owner, gone), box in found if owner == account and gone > since]

    async def counts(self, account: int) -> dict[int, Counts]:
        """Return what is in each mailbox that is not empty."""
        found: dict[int, Counts] = {}
        for mailbox in {each.mailbox for each in self._of(account)}:
            inside = [each for each in self._of(account) if each.mailbox == mailbox]
            unread = [each.thread for each in inside if not each.keywords & {SEEN, DRAFT}]
            threads = {each.thread for each in inside}
            found[mailbox] = Counts(len(inside), len(unread), len(threads), len(set(unread)))
        return found

    async def emails(self, account: int, ids: Sequence[int]) -> list[Email]:
        """Return these emails in the order asked; those that are not there are left out."""
        return [
            Email(
                each.id,
                each.thread,
                each.mailbox,
                each.uid,
                each.created,
                each.changed,
                each.received_at,
                each.size,
                *pack_keywords(each.keywords),
                each.attachment,
                each.summary,
            )
            for each in self._known(account, ids)
        ]

    async def bytes_of(self, account: int, ids: Sequence[int]) -> list[EmailBytes]:
        """Return where the bytes of these emails are; those that are not there are left out."""
        found = []
        for each in self._known(account, ids):
            entry = self._state.entries[each.mailbox][each.uid]
            found.append(
                EmailBytes(each.id, entry.prefix, entry.content, entry.size, entry.message)
            )
        return found

    async def at(self, account: int, mailbox: int, uid: int) -> int | None:
        """Return the id of the email of an entry."""
        email = self._tables.of_entry.get((mailbox, uid))
        return email if email and self._tables.emails[email].account == account else None

    async def in_threads(self, account: int, threads: Sequence[int]) -> dict[int, list[int]]:
        """Return the emails of these threads, the first received first."""
        found: dict[int, list[int]] = {}
        for each in sorted(self._of(account), key=lambda each: (each.received_at, each.id)):
            if each.thread in threads:
                found.setdefault(each.thread, []).append(each.id)
        return found

    async def find(
        self,
        account: int,
        where: Condition | Combined | None,
        sort: Sequence[Sort],
        limit: int | None = None,
        offset: int = 0,
    ) -> list[tuple[int, int]]:
        """Return id and thread of the emails that fit, in order; of the first, `offset` are left out."""
        all_of_it = self._of(account)
        found = [each for each in all_of_it if _fits(each, where, all_of_it)]
        found.sort(key=lambda each: each.id, reverse=not (sort and sort[-1].ascending))
        for criterion in reversed(sort):
            found.sort(key=_sort_key(criterion, all_of_it), reverse=not criterion.ascending)
        return [(each.id, each.thread) for each in found[offset:][:limit]]

    async def count(
        self, account: int, where: Condition | Combined | None, threads: bool = False
    ) -> int:
        """Return how many emails fit, or how many threads have one that fits."""
        found = await self.find(account, where, ())
        return len({thread for _, thread in found}) if threads else len(found)

    async def changes(self, account: int, since: int, limit: int) -> list[EmailChange]:
        """Return what changed after a state, in the order of the changes."""
        found = [
            EmailChange(each.id, each.thread, each.created, each.changed, False)
            for each in self._of(account)
        ]
        found += [gone for (owner, _), gone in self._tables.gone.items() if owner == account]
        later = [each for each in found if each.changed > since]
        return sorted(later, key=lambda each: each.changed)[:limit]

    async def identities(self, account: int) -> list[Identity]:
        """Return the identities that the account keeps."""
        found = sorted(self._tables.identities.items())
        return [identity for (owner, _), identity in found if owner == account]

    async def upload(self, account: int, upload: int) -> Upload | None:
        """Return what the account uploaded by that id."""
        found = self._tables.uploads.get(upload)
        return found if found is not None and found.account == account else None

    async def submissions(self, account: int) -> list[Submission]:
        """Return what the account sent, the newest first."""
        found = sorted(self._tables.submissions.items(), reverse=True)
        return [submission for (owner, _), submission in found if owner == account]


def _fits(
    email: StoredEmail, where: Condition | Combined | None, others: Sequence[StoredEmail]
) -> bool:
    if where is None:
        return True
    if isinstance(where, Combined):
        parts = (_fits(email, part, others) for part in where.parts)
        if where.operator is Operator.AND:
            return all(parts)
        return any(parts) if where.operator is Operator.OR else not any(parts)
    value = where.value
    if where.field in WORD_FIELDS:
        assert isinstance(value, tuple)
        return _says(email.words, where.field, [str(each) for each in value])
    return _TESTS[where.field](email, value, others)


def _some(email: StoredEmail, keyword: object, others: Sequence[StoredEmail]) -> bool:
    return any(keyword in each.keywords for each in others if each.thread == email.thread)


def _every(email: StoredEmail, keyword: object, others: Sequence[StoredEmail]) -> bool:
    return all(keyword in each.keywords for each in others if each.thread == email.thread)


_TESTS: dict[Field, Callable[..., bool]] = {
    Field.IN_MAILBOX: lambda email, value, _: email.mailbox == value,
    Field.IN_MAILBOX_OTHER_THAN: lambda email, value, _: email.mailbox not in value,
    Field.BEFORE: lambda email, value, _: email.received_at < value,
    Field.AFTER: lambda email, value, _: email.received_at >= value,
    Field.MIN_SIZE: lambda email, value, _: email.size >= value,
    Field.MAX_SIZE: lambda email, value, _: email.size < value,
    Field.KEYWORD: lambda email, value, _: value in email.keywords,
    Field.NOT_KEYWORD: lambda email, value, _: value not in email.keywords,
    Field.ALL_IN_THREAD: _every,
    Field.SOME_IN_THREAD: _some,
    Field.NONE_IN_THREAD: lambda email, value, others: not _some(email, value, others),
    Field.ATTACHMENT: lambda email, value, _: email.attachment == value,
}


def _sort_key(
    criterion: Sort, others: Sequence[StoredEmail]
) -> Callable[[StoredEmail], float | str | bool]:
    keyword = criterion.keyword
    keys: dict[SortBy, Callable[[StoredEmail], float | str | bool]] = {
        SortBy.RECEIVED_AT: lambda email: email.received_at,
        SortBy.SENT_AT: lambda email: email.sent_at,
        SortBy.SIZE: lambda email: email.size,
        SortBy.FROM: lambda email: email.author,
        SortBy.TO: lambda email: email.addressee,
        SortBy.SUBJECT: lambda email: email.subject,
        SortBy.KEYWORD: lambda email: keyword in email.keywords,
        SortBy.ALL_IN_THREAD: lambda email: _every(email, keyword, others),
        SortBy.SOME_IN_THREAD: lambda email: _some(email, keyword, others),
    }
    return keys[criterion.by]


def _says(words: Words, field: Field, phrases: Sequence[str]) -> bool:
    texts = {
        Field.TEXT: _all_texts(words),
        Field.FROM: [words.author],
        Field.TO: [words.to],
        Field.CC: [words.cc],
        Field.BCC: [words.bcc],
        Field.SUBJECT: [words.subject],
        Field.BODY: [words.body],
    }[field]
    split = [_words(text) for text in texts]
    return all(any(_has(text, _words(phrase)) for text in split) for phrase in phrases)


def _all_texts(words: Words) -> list[str]:
    return [words.author, words.to, words.cc, words.bcc, words.subject, words.body]


def _words(text: str) -> list[str]:
    plain = "".join(
        letter
        for letter in unicodedata.normalize("NFD", text.lower())
        if not unicodedata.combining(letter)
    )
    return _WORD.findall(plain)


def _has(text: Sequence[str], phrase: Sequence[str]) -> bool:
    length = len(phrase)
    return length > 0 and any(
        list(text[start : start + length]) == list(phrase)
        for start in range(len(text) - length + 1)
    )

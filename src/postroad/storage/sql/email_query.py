"""Turns conditions on emails and sort criteria into SQL on ``email`` and ``email_words``."""

from collections.abc import Sequence
from typing import TypeAlias

from postroad.model import (
    WORD_FIELDS,
    Combined,
    Condition,
    Field,
    Operator,
    Sort,
    SortBy,
    keyword_bit,
)

Where: TypeAlias = Condition | Combined | None

_COLUMNS = {
    Field.TEXT: "author addressed cc bcc subject body",
    Field.FROM: "author",
    Field.TO: "addressed",
    Field.CC: "cc",
    Field.BCC: "bcc",
    Field.SUBJECT: "subject",
    Field.BODY: "body",
}
_COMPARISONS = {
    Field.BEFORE: "received_at < ?",
    Field.AFTER: "received_at >= ?",
    Field.MIN_SIZE: "size >= ?",
    Field.MAX_SIZE: "size < ?",
    Field.ATTACHMENT: "attachment = ?",
}
_ORDER = {
    SortBy.RECEIVED_AT: "received_at",
    SortBy.SENT_AT: "sent_at",
    SortBy.SIZE: "size",
    SortBy.FROM: "author",
    SortBy.TO: "addressee",
    SortBy.SUBJECT: "subject",
}


class Selection:
    """The part of a query behind ``FROM``, for one account, with its values."""

    def __init__(self, account: int, where: Where, few: bool = False) -> None:
        """`few` tells that its words are in few emails, see `words_of`."""
        self.values: list[object] = []
        self._account = account
        self._few = few
        only = "+" if few else ""
        mailbox = _mailbox_of(where)
        if mailbox is None:
            self.values.append(account)
            condition = f"{only}account = ?"
        else:
            # The account is asked of the mailbox, so that the list's index says it all.
            self.values += [mailbox, account]
            condition = f"{only}mailbox = (SELECT id FROM mailbox WHERE id = ? AND account = ?)"
        for part in _parts_of(where):
            if not (isinstance(part, Condition) and part.field is Field.IN_MAILBOX) or (
                part.value != mailbox
            ):
                condition += f" AND {self._where(part)}"
        self.sql = f"FROM email WHERE {condition}"

    def order(self, sort: Sequence[Sort]) -> str:
        """Return the clause that sorts; values of it go behind those that are there."""
        terms = [f"{self._sort(each)} {'ASC' if each.ascending else 'DESC'}" for each in sort]
        last = "ASC" if sort and sort[-1].ascending else "DESC"
        return f"ORDER BY {', '.join([*terms, f'id {last}'])}"

    def _sort(self, sort: Sort) -> str:
        column = _ORDER.get(sort.by)
        if column is not None:
            return column
        if sort.by is SortBy.KEYWORD:
            return f"({self._keyword(sort.keyword)})"
        every = sort.by is SortBy.ALL_IN_THREAD
        return f"({self._thread(sort.keyword, every)})"

    def _where(self, where: Condition | Combined) -> str:
        if isinstance(where, Condition):
            return self._condition(where)
        parts = [self._where(part) for part in where.parts]
        if where.operator is Operator.AND:
            return f"({' AND '.join(parts)})" if parts else "TRUE"
        either = f"({' OR '.join(parts)})" if parts else "FALSE"
        return f"NOT {either}" if where.operator is Operator.NOT else either

    def _condition(self, condition: Condition) -> str:
        field, value = condition.field, condition.value
        if field in WORD_FIELDS:
            assert isinstance(value, tuple)
            return self._words(field, [str(each) for each in value])
        if field is Field.IN_MAILBOX:
            self.values.append(value)
            return "mailbox = ?"
        if field is Field.IN_MAILBOX_OTHER_THAN:
            assert isinstance(value, tuple)
            if not value:
                return "TRUE"
            self.values += value
            return f"mailbox NOT IN ({', '.join('?' * len(value))})"
        if field in _COMPARISONS:
            self.values.append(value)
            return _COMPARISONS[field]
        keyword = str(value)
        if field is Field.KEYWORD:
            return f"({self._keyword(keyword)})"
        if field is Field.NOT_KEYWORD:
            return f"NOT ({self._keyword(keyword)})"
        if field is Field.NONE_IN_THREAD:
            return f"NOT ({self._thread(keyword, False)})"
        return f"({self._thread(keyword, field is Field.ALL_IN_THREAD)})"

    def _keyword(self, keyword: str) -> str:
        bit = keyword_bit(keyword)
        if bit:
            return f"flags & {bit} <> 0"
        self.values.append(f" {keyword} ")
        return "instr(keywords, ?) > 0"

    def _thread(self, keyword: str, every: bool) -> str:
        self.values.append(self._account)
        has = self._keyword(keyword)
        if every:
            return f"thread NOT IN (SELECT thread FROM email WHERE account = ? AND NOT ({has}))"
        return f"thread IN (SELECT thread FROM email WHERE account = ? AND {has})"

    def _words(self, field: Field, phrases: list[str]) -> str:
        # Where they are in many, the index is walked in the order of the list, so that a search for
        # what is in every message costs no more than the list does.
        self.values.append(match_of(self._account, field, phrases))
        column = "id" if self._few else "+id"
        return f"{column} IN (SELECT rowid FROM email_words WHERE email_words MATCH ?)"


def words_of(account: int, where: Where) -> str | None:
    """Return the search that all that fits must be among, None where there is none."""
    for part in _parts_of(where):
        if isinstance(part, Condition) and part.field in WORD_FIELDS:
            assert isinstance(part.value, tuple)
            return match_of(account, part.field, [str(each) for each in part.value])
    return None


def match_of(account: int, field: Field, phrases: Sequence[str]) -> str:
    """Return the search, in the language of FTS5, for emails of an account with all the phrases."""
    words = " AND ".join('"' + phrase.replace('"', " ") + '"' for phrase in phrases)
    return f'account : "a{account}" AND {{{_COLUMNS[field]}}} : ({words})'


def _mailbox_of(where: Where) -> int | None:
    for part in _parts_of(where):
        if isinstance(part, Condition) and part.field is Field.IN_MAILBOX:
            assert isinstance(part.value, int)
            return part.value
    return None


def _parts_of(where: Where) -> tuple[Condition | Combined, ...]:
    if where is None:
        return ()
    if isinstance(where, Combined) and where.operator is Operator.AND:
        return tuple(inner for part in where.parts for inner in _parts_of(part))
    return (where,)

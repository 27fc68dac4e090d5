"""Looks at every row and every content of a database, live or in a backup, for what does not fit.

A server may be at work meanwhile: the rules between rows are asked of one moment, and a large content
that is not as it should be is no problem if its row is gone by then.
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from postroad.model import Accepted, ContentRef, InvalidId, decode_changes, format_id
from postroad.ports import StorageError
from postroad.storage.sql.connection import Connection
from postroad.storage.sql.statements import SQL

PIECE_OCTETS = 1024 * 1024
PAGE_ROWS = 500
MAX_PER_RULE = 100

ReadLarge: TypeAlias = Callable[[ContentRef, int, int, int], Awaitable[bytes]]
"""Reads a piece of a large content: which, where it begins, the offset, how much."""

RESTORE = "restore a backup into another data directory (postroad restore), and take it from there"
_decode_accepted = msgspec.json.Decoder(Accepted).decode


class Problem(Struct, frozen=True):
    """Something that is wrong: `what`, and what to do about it. Where `harmless`, nothing is lost."""

    what: str
    mend: str
    harmless: bool = False


class Rule(Struct, frozen=True):
    """A statement that finds rows which break a rule; the texts take its columns, ids as people see
    them.
    """

    statement: str
    what: str
    mend: str = RESTORE
    harmless: bool = False


RULES = (
    Rule("verify_delivery_message", "deliveries of message {} are there, but not the message"),
    Rule(
        "verify_delivery_content",
        "message {} still has deliveries to make, but its content {} is gone",
        "end them, so that they are not tried for nothing: postroad queue drop {}; or "
        "restore a backup",
    ),
    Rule("verify_entry_content", "mailbox {}, uid {#}: its content {} is gone"),
    Rule("verify_entry_sizes", "mailbox {}, uid {#}: the sizes of entry and content differ"),
    Rule("verify_entry_mailbox", "there is mail in mailbox {}, but no such mailbox"),
    Rule("verify_mailbox_counters", "mailbox {}: its counters are behind its entries"),
    Rule("verify_mailbox_account", "mailbox {} belongs to account {}, which is not there"),
    Rule("verify_account_inbox", "account {#} has no INBOX"),
    Rule(
        "verify_account_domain",
        "account {#} is of a domain that is not ours",
        "add it: postroad domain add",
    ),
    Rule("verify_app_password_account", "an app password is of account {}, which is not there"),
    Rule(
        "verify_upload_content", "account {}: the content of its upload {} is not as it should be"
    ),
    Rule("verify_email_entry", "email {#} is of no entry, or of one in another mailbox"),
    Rule("verify_content_size", "content {} should have {#} octets, and has {#}"),
    Rule(
        "verify_content_needed",
        "content {} is needed by nobody",
        "nothing; it only takes space",
        harmless=True,
    ),
)


class Report(Struct):
    """What was looked at, and what is wrong."""

    checked: dict[str, int]
    problems: list[Problem]

    @property
    def sound(self) -> bool:
        """Whether nothing is lost or contradicts itself."""
        return all(problem.harmless for problem in self.problems)


class Engine(Struct, frozen=True):
    """What is otherwise on an engine: how its own structures are checked, how a transaction begins that
    shows one moment, and what it raises.
    """

    structure: Callable[[Connection], Iterable[Problem]]
    begin: str
    error: type[Exception]


async def verify(
    connection: Connection,
    read: ReadLarge,
    told: Callable[[str, int, int], None],
    engine: Engine,
    mend_content: Callable[[int], str] | None = None,
) -> Report:
    """Look at all. `told` hears what is looked at, how many octets or steps are done, and of how many;
    `mend_content` is what to do about a large content.
    What cannot be read is a problem like others.
    """
    report = Report({}, [])
    try:
        steps = len(RULES) + 3
        report.problems += engine.structure(connection)
        told("database", 1, steps)
        connection.execute(engine.begin)
        try:
            for done, rule in enumerate(RULES, 2):
                report.problems += _broken(connection, rule)
                told("database", done, steps)
            report.checked["messages"] = _decoded(
                connection, "verify_accepted_page", _decode_accepted, "message {}", report
            )
            told("database", steps - 1, steps)
            report.checked["journey rows"] = _decoded(
                connection, "verify_journey_page", decode_changes, "row {#} of the journey", report
            )
            told("database", steps, steps)
            for name in ("deliveries", "entries", "accounts", "contents"):
                report.checked[name] = connection.execute(SQL[f"count_{name}"]).get
        finally:
            connection.execute("ROLLBACK")
        await _large(connection, read, told, report, mend_content or _from_restored)
    except engine.error as error:
        what = f"the database cannot be read any further: {error}"
        report.problems.append(Problem(what, RESTORE))
    return report


def _broken(connection: Connection, rule: Rule) -> Iterator[Problem]:
    for row in connection.execute(SQL[rule.statement], (MAX_PER_RULE,)):
        yield Problem(_filled(rule.what, row), _filled(rule.mend, row), rule.harmless)


def _filled(text: str, row: tuple[Any, ...]) -> str:
    """Fill in the columns: ``{}`` is an id, ``{#}`` a number or text as it is."""
    parts: list[str] = []
    values = iter(row)
    while "{" in text:
        before, _, text = text.partition("{")
        kind, _, text = text.partition("}")
        value = next(values)
        parts += [before, str(value) if kind else _id(value)]
    return "".join(parts) + text


def _id(value: object) -> str:
    try:
        return format_id(value) if isinstance(value, int) and value >= 0 else repr(value)
    except (InvalidId, IndexError):
        return repr(value)


def _decoded(
    connection: Connection,
    statement: str,
    decode: Callable[[str], object],
    name: str,
    report: Report,
) -> int:
    """Read all rows of a kind; return how many there are."""
    last, count = -1, 0
    while rows := _page(connection, statement, last):
        for number, text in rows:
            try:
                decode(text)
            except (msgspec.MsgspecError, ValueError, TypeError) as error:
                what = f"{_filled(name, (number,))} cannot be read: {error}"
                report.problems.append(Problem(what, RESTORE))
        last = rows[-1][0]
        count += len(rows)
    return count


async def _large(
    connection: Connection,
    read: ReadLarge,
    told: Callable[[str, int, int], None],
    report: Report,
    mend: Callable[[int], str],
) -> None:
    total, done, last, count = _octets(connection), 0, -1, 0
    while rows := _page(connection, "verify_large_page", last):
        for content_id, size, begins, digest in rows:
            wrong = await _wrong(read, ContentRef(content_id, size), begins, digest)
            still = connection.execute(SQL["content_exists"], (content_id,)).get
            if wrong and still is not None:
                what = f"content {format_id(content_id)}: {wrong}"
                report.problems.append(Problem(what, mend(content_id)))
            done += size
            told("contents", done, total)
        last = rows[-1][0]
        count += len(rows)
    report.checked["large contents"] = count
    report.checked["octets of large contents"] = done


def _page(connection: Connection, statement: str, last: int) -> list[Any]:
    return connection.execute(SQL[statement], (last, PAGE_ROWS)).fetchall()


def _from_restored(content_id: int) -> str:
    name = format_id(content_id)
    return (
        "restore a backup into another data directory (postroad restore), and copy "
        f"content/{name[-2:].lower()}/{name} from there"
    )


async def _wrong(read: ReadLarge, ref: ContentRef, begins: int, digest: bytes | None) -> str:
    """Return what is wrong with a large content, or ``""``."""
    found, offset = hashlib.sha256(), 0
    try:
        while piece := await read(ref, begins, offset, PIECE_OCTETS):
            found.update(piece)
            offset += len(piece)
    except StorageError as error:
        return str(error)
    if offset != ref.size:
        return f"there are {offset} octets of {ref.size}"
    if digest is not None and found.digest() != digest:
        return "its SHA-256 is not that of what was stored; the bytes changed"
    return ""


def _octets(connection: Connection) -> int:
    total: int = connection.execute(SQL["verify_large_octets"]).get
    return total

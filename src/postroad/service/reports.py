"""Reports of others about mail in our name, read from the mailbox they came to, or from files.

Nothing is stored: the mail is the store, and what is no report is passed over. Mail is taken from
strangers, so each is read within the bounds of `trust.dmarc_report`, and at most so many.
"""

import hashlib
from enum import Enum

import structlog
from msgspec import Struct

from postroad.message.parts import parts_of
from postroad.model import Address, ContentRef
from postroad.ports import Directory, StorageError
from postroad.ports.content import ContentStore
from postroad.ports.mailbox import MailboxStore
from postroad.service.errors import Refused
from postroad.trust.dmarc_report import (
    AggregateReport,
    FailureReport,
    ReportInvalid,
    read_aggregate,
    read_failure_report,
    read_message,
)
from postroad.trust.tls_report import GZIP_MAGIC, TlsReport, TlsReportInvalid, unpack
from postroad.trust.tls_report import read_report as read_tls_report

log = structlog.get_logger("postroad.reports")

# RFC 8460 §5.3, §5.1
_TLS_TYPES = frozenset({"application/tlsrpt+json", "application/tlsrpt+gzip"})
_TLS_SUFFIXES = (".json", ".json.gz")

MAX_MESSAGE_OCTETS = 20 * 2**20
_AT_ONCE = 100


class ReportKind(Enum):
    """What a message turned out to be."""

    AGGREGATE = "aggregate"
    FAILURE = "failure"
    TLS = "tls"
    BROKEN = "broken"


class ReceivedReport(Struct, frozen=True):
    """One report. `key` names it among others: a few letters made from its octets. `source` is the file
    or ``address/uid``; `problem` says why one that is broken is.
    """

    key: str
    kind: ReportKind
    source: str
    aggregate: AggregateReport | None = None
    failure: FailureReport | None = None
    tls: TlsReport | None = None
    problem: str = ""


def read_report(data: bytes, source: str) -> ReceivedReport | None:
    """Return the report in a mail message or in a file of its own; None where there is none.

    One that cannot be read, for whatever reason, is broken: it does not keep others from being read.
    """
    if len(data) > MAX_MESSAGE_OCTETS:
        problem = f"more than {MAX_MESSAGE_OCTETS} octets"
        return ReceivedReport("", ReportKind.BROKEN, source, problem=problem)
    key = hashlib.sha256(data).hexdigest()[:10]
    try:
        return _read(data, key, source)
    except (ReportInvalid, TlsReportInvalid) as error:
        return ReceivedReport(key, ReportKind.BROKEN, source, problem=str(error))
    except Exception as error:  # strangers write them
        log.exception("a report cannot be read", source=source, key=key)
        problem = f"cannot be read: {type(error).__name__}: {error}".rstrip(": ")
        return ReceivedReport(key, ReportKind.BROKEN, source, problem=problem)


def _read(data: bytes, key: str, source: str) -> ReceivedReport | None:
    tls = _tls_report(data)
    if tls is not None:
        return ReceivedReport(key, ReportKind.TLS, source, tls=tls)
    aggregate = read_aggregate(data) if _is_bare(data) else read_message(data)
    if aggregate is not None:
        return ReceivedReport(key, ReportKind.AGGREGATE, source, aggregate=aggregate)
    failure = read_failure_report(data)
    if failure is not None:
        return ReceivedReport(key, ReportKind.FAILURE, source, failure=failure)
    return None


def _tls_report(data: bytes) -> TlsReport | None:
    """The TLS report in a message or file, None where there is none. Raises `TlsReportInvalid`."""
    if data.lstrip()[:1] == b"{":
        return read_tls_report(data)
    if data.startswith(GZIP_MAGIC):
        # A file of its own may be of either kind; which, is known when it is unpacked.
        plain = unpack(data)
        return read_tls_report(plain) if plain.lstrip()[:1] == b"{" else None
    for part in parts_of(data):
        if part.media_type in _TLS_TYPES or part.filename.lower().endswith(_TLS_SUFFIXES):
            return read_tls_report(part.body)
    return None


def _is_bare(data: bytes) -> bool:
    return data.lstrip()[:1] == b"<" or data[:2] in (GZIP_MAGIC, b"PK")


class Reports:
    """Reads the reports in an account's INBOX."""

    def __init__(
        self, *, directory: Directory, mailboxes: MailboxStore, content: ContentStore
    ) -> None:
        self._directory = directory
        self._mailboxes = mailboxes
        self._content = content

    async def of_account(self, address: Address, limit: int) -> list[ReceivedReport]:
        """Return the reports among the newest `limit` messages, oldest first.

        Raises `Refused` where there is no such account, and `StorageError`.
        """
        account = await self._directory.account(address)
        if account is None:
            raise Refused(f"there is no account {address}")
        listing = await self._mailboxes.listing(account.inbox)
        if listing is None:
            raise Refused(f"{address} has no mailbox")
        chosen = [
            uid
            for uid, size in zip(listing.uids, listing.sizes, strict=True)
            if size <= MAX_MESSAGE_OCTETS
        ][-limit:]
        found = []
        for start in range(0, len(chosen), _AT_ONCE):
            uids = chosen[start : start + _AT_ONCE]
            for entry in await self._mailboxes.entries(account.inbox, uids):
                data = entry.prefix + await self._read(entry.content)
                report = read_report(data, f"{address}/{entry.uid}")
                if report is not None:
                    found.append(report)
        return found

    async def _read(self, ref: ContentRef) -> bytes:
        pieces = bytearray()
        while piece := await self._content.read(ref, len(pieces)):
            pieces += piece
            if len(pieces) > MAX_MESSAGE_OCTETS:
                raise StorageError("a message is larger than its mailbox says")
        return bytes(pieces)

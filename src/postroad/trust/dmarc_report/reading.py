"""Reading aggregate reports of others (RFC 7489 Appendix C, RFC 9990), and the drafts before them."""

import ipaddress

from postroad.message.parts import parts_of
from postroad.trust.dmarc_report.markup import Element, read_element
from postroad.trust.dmarc_report.report import (
    AggregateReport,
    DkimAuth,
    PolicyPublished,
    Reason,
    ReportInvalid,
    Row,
    SpfAuth,
)
from postroad.trust.dmarc_report.unpacking import unpack

MAX_ROWS = 100_000
_MAX_EACH = 20
_MAX_COUNT = 10**12
_MAX_PROBLEMS = 20
_MAX_SECONDS = 253_402_300_799  # the end of the year 9999

# What mail programs call such an attachment; the octets decide what it is.
_MEDIA_TYPES = frozenset(
    {
        "application/gzip",
        "application/x-gzip",
        "application/gzip-compressed",
        "application/zip",
        "application/x-zip-compressed",
        "application/x-zip",
        "application/octet-stream",
        "application/xml",
        "text/xml",
    }
)
_SUFFIXES = (".xml", ".gz", ".zip")
_EMPTY = Element("")


def read_message(message: bytes) -> AggregateReport | None:
    """Return the report that a mail message carries, None where it has no such attachment.

    Raises `ReportInvalid` where there is one that cannot be read.
    """
    failure: ReportInvalid | None = None
    for part in parts_of(message):
        if part.media_type in _MEDIA_TYPES or part.filename.lower().endswith(_SUFFIXES):
            try:
                return read_aggregate(part.body)
            except ReportInvalid as error:
                failure = failure or error
    if failure is not None:
        raise failure
    return None


def read_aggregate(data: bytes) -> AggregateReport:
    """Return the report in an XML file, packed or not. Raises `ReportInvalid`."""
    root = read_element(unpack(data), "feedback")
    metadata = root.child("report_metadata") or _EMPTY
    published = root.child("policy_published") or _EMPTY
    if not published.get("domain"):
        raise ReportInvalid("it does not say of which domain it is")
    problems: list[str] = []
    rows: list[Row] = []
    for number, record in enumerate(root.all("record"), 1):
        if number > MAX_ROWS:
            raise ReportInvalid(f"more than {MAX_ROWS} rows")
        try:
            rows.append(_row(record))
        except ValueError as error:
            if len(problems) < _MAX_PROBLEMS:
                problems.append(f"row {number}: {error}")
    period = metadata.child("date_range") or _EMPTY
    return AggregateReport(
        org_name=metadata.get("org_name"),
        email=metadata.get("email"),
        report_id=metadata.get("report_id").strip("<>"),
        begin=_number(period.get("begin"), "begin"),
        end=_number(period.get("end"), "end"),
        policy=_policy(published),
        rows=tuple(rows),
        version=root.get("version"),
        extra_contact_info=metadata.get("extra_contact_info"),
        generator=metadata.get("generator"),
        errors=tuple(each.text for each in list(metadata.all("error"))[:_MAX_EACH]),
        problems=tuple(problems),
    )


def _policy(published: Element) -> PolicyPublished:
    return PolicyPublished(
        **{
            name: published.get(name).lower()
            for name in (
                "domain",
                "p",
                "sp",
                "np",
                "adkim",
                "aspf",
                "pct",
                "fo",
                "testing",
                "discovery_method",
            )
        }
    )


def _row(record: Element) -> Row:
    """Raises `ValueError` for a row that tells nothing."""
    row = record.child("row") or _EMPTY
    evaluated = row.child("policy_evaluated") or _EMPTY
    identifiers = record.child("identifiers") or record.child("identities") or _EMPTY
    results = record.child("auth_results") or _EMPTY
    count = row.get("count")
    if not (count.isascii() and count.isdigit()) or int(count[:20]) > _MAX_COUNT:
        raise ValueError(f"its count is {count[:20]!r}")
    return Row(
        source_ip=str(ipaddress.ip_address(row.get("source_ip"))),
        count=int(count),
        disposition=evaluated.get("disposition").lower(),
        dkim=evaluated.get("dkim").lower(),
        spf=evaluated.get("spf").lower(),
        header_from=identifiers.get("header_from").lower(),
        envelope_from=identifiers.get("envelope_from").lower(),
        envelope_to=identifiers.get("envelope_to").lower(),
        reasons=tuple(
            Reason(each.get("type").lower(), each.get("comment"))
            for each in list(evaluated.all("reason"))[:_MAX_EACH]
            if each.get("type") or each.get("comment")
        ),
        dkim_auth=tuple(
            DkimAuth(
                each.get("domain").lower(),
                each.get("selector"),
                each.get("result").lower(),
                each.get("human_result"),
            )
            for each in list(results.all("dkim"))[:_MAX_EACH]
        ),
        spf_auth=tuple(
            SpfAuth(
                each.get("domain").lower(),
                each.get("scope").lower(),
                each.get("result").lower(),
                each.get("human_result"),
            )
            for each in list(results.all("spf"))[:_MAX_EACH]
        ),
    )


def _number(text: str, what: str) -> int:
    whole = text.partition(".")[0]
    if whole.isascii() and whole.isdigit() and len(whole) <= 12 and int(whole) <= _MAX_SECONDS:
        return int(whole)
    raise ReportInvalid(f"its {what} is no time in seconds: {text[:20]!r}")

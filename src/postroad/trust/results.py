"""Authentication-Results (RFC 8601): writing what we found, removing what others claim that we found.

Whoever reads mail here believes the fields with our name in them; so none with our name may come in. A
field whose name of a server cannot be read is removed too: some reader may read it differently.
"""

import re
from collections.abc import Collection, Sequence

import idna
from msgspec import Struct

from postroad.message.header import Header, header_end
from postroad.trust.arc.verify import Chain
from postroad.trust.dkim.result import Checked
from postroad.trust.dmarc.result import DmarcCheck
from postroad.trust.spf.result import Identity, SpfCheck, SpfResult

_FIELD = "authentication-results"
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`{|}~]+\Z")
_PVALUE = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`{|}~@/]+\Z")
_KEYWORD = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\Z")
_UNSAFE = re.compile(r"[^ -~\xa0-\U0010ffff]|[\u2028\u2029]")
_SPACE = b" \t\r\n"
_ID = re.compile(rb"[^\0-\x20()<>@,;:\\\"/\[\]?=\x7f]+")  # RFC 2045 §5.1 token, and UTF-8
_QUOTED_ID = re.compile(rb'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_VERSION = re.compile(rb"[0-9]+(?=[ \t\r\n;(]|\Z)")
_NAMED = re.compile(rb"authentication-results[ \t\r\n]*:", re.IGNORECASE)
_SPACES = re.compile(rb"[ \t\r\n]+")
_COMMENT_PARTS = re.compile(rb"\\.|[()]", re.DOTALL)
_MAX_TEXT = 200
MAX_OCTETS = 16 * 1024
"""Of a field; of more signatures than fit, the last ones that did not pass are left out."""

_MAX_COMMENT_DEPTH = 50


class Finding(Struct, frozen=True):
    """What one method found (RFC 8601 §2.2).

    `properties` are (ptype, property, value): ``("header", "d", "example.org")``.
    """

    method: str
    result: str
    reason: str = ""
    comment: str = ""
    properties: tuple[tuple[str, str, str], ...] = ()


def dkim_findings(checked: Sequence[Checked]) -> tuple[Finding, ...]:
    """Return what to say of DKIM: each signature, or that there is none (RFC 8601 §2.7.1)."""
    if not checked:
        return (Finding("dkim", "none", comment="no signature"),)
    return tuple(_dkim_finding(each) for each in checked)


def _dkim_finding(checked: Checked) -> Finding:
    values = (
        ("d", checked.domain),
        ("i", checked.identity),
        ("s", checked.selector),
        ("a", checked.algorithm),
        ("b", checked.start),  # RFC 6008 §4
    )
    return Finding(
        "dkim",
        checked.result.value,
        reason="" if checked.result.value == "pass" else checked.reason,
        comment=f"{checked.key_bits}-bit key" if checked.key_bits else "",
        properties=tuple(("header", name, value) for name, value in values if value),
    )


def arc_finding(chain: Chain) -> Finding:
    """Return what to say of ARC (RFC 8617 §6)."""
    properties = tuple(("header", "d", sealer) for sealer in chain.sealers[:1])
    reason = chain.reason if chain.status.value == "fail" else ""
    return Finding("arc", chain.status.value, reason=reason, properties=properties)


def spf_finding(check: SpfCheck) -> Finding:
    """Return what to say of SPF (RFC 8601 §2.7.2)."""
    helo = check.identity is Identity.HELO
    properties = (("smtp", "helo", check.helo),) if helo else (("smtp", "mailfrom", check.sender),)
    passed = check.result is SpfResult.PASS
    return Finding(
        "spf", check.result.value, reason="" if passed else check.reason, properties=properties
    )


def dmarc_findings(check: DmarcCheck) -> tuple[Finding, ...]:
    """Return what to say of DMARC: each domain of the author, or why there is none (RFC 7489 §11.1)."""
    if not check.domains:
        return (Finding("dmarc", check.result.value, reason=check.reasons[0]),)
    return tuple(
        Finding(
            "dmarc",
            each.result.value,
            comment=f"{each.tag or 'p'}={each.published.value} of {each.policy_domain}"
            if each.record
            else "",
            properties=(("header", "from", each.domain),),
        )
        for each in check.domains
    )


def results_value(authserv_id: str, findings: Sequence[Finding]) -> bytes:
    """Return the value of the field, folded, without line end.

    Raises `ValueError` where a method, result or property is no keyword: those are ours to choose.
    Values and reasons may be anything; they are quoted, and what cannot be shown is replaced. There are
    at most `MAX_OCTETS`, unless others than DKIM say more.
    """
    pieces = [_finding(each).encode() for each in findings] or [b"none"]
    excess = sum(len(piece) + 4 for piece in pieces) - MAX_OCTETS
    if excess > 0:
        for index in _expendable(findings):
            excess -= len(pieces[index]) + 4
            pieces[index] = b""
            if excess <= 0:
                break
    written = [_value(authserv_id, _TOKEN).encode(), *filter(None, pieces)]
    return b";\r\n\t".join(written)


def _expendable(findings: Sequence[Finding]) -> list[int]:
    """Which to leave out first: signatures that did not pass, from the last one on, then the others."""
    found = [at for at, each in enumerate(findings) if each.method == "dkim"]
    return sorted(found, key=lambda at: (findings[at].result == "pass", -at))


def results_field(value: bytes) -> bytes:
    """Return the whole field, with its line end."""
    return b"Authentication-Results: " + value + b"\r\n"


def authentication_results(authserv_id: str, findings: Sequence[Finding]) -> bytes:
    """Return the whole field for these findings, with its line end."""
    return results_field(results_value(authserv_id, findings))


def _finding(finding: Finding) -> str:
    for word in (finding.method, finding.result):
        _keyword(word)
    text = f"{finding.method}={finding.result}"
    if finding.comment:
        text += f" ({_comment(finding.comment)})"
    if finding.reason:
        text += f"\r\n\t reason={_quoted(finding.reason)}"
    for kind, name, value in finding.properties:
        _keyword(kind)
        _keyword(name)
        text += f"\r\n\t {kind}.{name}={_value(value, _PVALUE)}"
    return text


def _keyword(word: str) -> None:
    if not _KEYWORD.match(word):
        raise ValueError(f"{word!r} is no keyword of Authentication-Results")


def _value(text: str, plain: re.Pattern[str]) -> str:
    return text if len(text) <= _MAX_TEXT and plain.match(text) else _quoted(text)


def _quoted(text: str) -> str:
    return '"' + _shown(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _comment(text: str) -> str:
    return re.sub(r"([\\()])", r"\\\1", _shown(text))


def _shown(text: str) -> str:
    if len(text) > _MAX_TEXT:
        text = text[:_MAX_TEXT] + "…" if not text.isascii() else text[:_MAX_TEXT] + "..."
    return _UNSAFE.sub("?", text.encode("utf-8", "replace").decode())


def without_forged(head: bytes, authserv_ids: Collection[str]) -> tuple[bytes, int]:
    """Return a header section without the results that claim to be ours, and how many there were.

    RFC 8601 §5. What is behind the blank line is kept as it is.
    """
    if _FIELD.encode() not in head.lower():
        return head, 0
    ours = {_comparable(each) for each in authserv_ids}
    header = Header.parse(head)
    kept = [
        field.raw
        for field in header.fields
        if not _NAMED.match(field.raw) or not _claims(field.raw, ours)
    ]
    removed = len(header.fields) - len(kept)
    if not removed:
        return head, 0
    end = header_end(head)
    return b"".join(kept) + (head[end - 2 :] if end >= 0 else b""), removed


def _claims(raw: bytes, ours: set[str]) -> bool:
    name = read_authserv_id(raw.partition(b":")[2])
    return name is None or _comparable(name) in ours


def read_authserv_id(value: bytes) -> str | None:
    """Return the authserv-id of a field's value (RFC 8601 §2.2), None where it cannot be read.

    It is a token or a quoted string; behind it are at most a version and the ``;`` of the first result.
    """
    rest = _without_comments(value)
    if rest is None:
        return None
    match = _QUOTED_ID.match(rest)
    if match is not None:
        name = re.sub(rb"\\(.)", rb"\1", match[1], flags=re.DOTALL)
        name = re.sub(rb"[\r\n]", b"", name)
    else:
        match = _ID.match(rest)
        name = match[0] if match is not None else b""
    if match is None or not name or re.search(rb"[\0-\x1f\x7f\"\\]", name):
        return None
    if not _ends_there(rest[match.end() :]):
        return None
    try:
        return name.decode()
    except UnicodeDecodeError:
        return None


def _ends_there(rest: bytes) -> bool:
    behind = _without_comments(rest)
    if behind is None:
        return False
    version = _VERSION.match(behind)
    if version is not None and behind != rest:
        behind = _without_comments(behind[version.end() :])
    return behind is not None and behind[:1] in (b"", b";")


def _without_comments(value: bytes) -> bytes | None:
    """Return what is behind white space and comments (RFC 5322 §3.2.2), None where one has no end."""
    value = value.lstrip(_SPACE)
    if not value.startswith(b"("):
        return value
    start = 0
    depth = 0
    for match in _COMMENT_PARTS.finditer(value):
        if match[0] == b"(":
            depth += 1
        elif match[0] == b")":
            depth -= 1
        if depth > _MAX_COMMENT_DEPTH:
            return None
        start = match.end()
        if depth == 0:
            spaces = _SPACES.match(value, start)
            start = spaces.end() if spaces else start
            if value[start : start + 1] != b"(":
                break
    return None if depth else value[start:]


def _comparable(name: str) -> str:
    """A name as names of hosts are compared: case, the dot at the end, A- and U-labels do not matter."""
    name = name.strip().rstrip(".").lower()
    if not name.isascii():
        try:
            return idna.encode(name, uts46=True).decode("ascii")
        except idna.IDNAError:
            return name
    return name

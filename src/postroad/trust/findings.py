"""Authentication-Results that we wrote, read again (RFC 8601 §2.2): who a message is from, as was found
when it came. Fields with the names of others are passed over.
"""

import re
from collections.abc import Iterable

from postroad.trust.results import Finding, read_authserv_id

MAX_FINDINGS = 50
"""Of one message; more are not looked at."""

_FIELD = re.compile(
    r"\s*(?P<method>[A-Za-z0-9-]{1,40})=(?P<result>[A-Za-z0-9-]{1,40})"
    r"(?:\s+\((?P<comment>(?:[^()\\]|\\.){0,1000}+)\))?"
    r"(?:\s+reason=\"(?P<reason>(?:[^\"\\]|\\.){0,1000}+)\")?"
    r"(?P<properties>(?:\s+[A-Za-z0-9-]{1,40}\.[A-Za-z0-9-]{1,40}=(?:\"(?:[^\"\\]|\\.){0,1000}+\"|[^\s;\"]++))*)"
)
_PROPERTY = re.compile(r"([A-Za-z0-9-]+)\.([A-Za-z0-9-]+)=(?:\"((?:[^\"\\]|\\.)*+)\"|([^\s;\"]++))")
_SPACES = re.compile(r"[ \t\r\n]+")
_ESCAPED = re.compile(r"\\(.)")


def read_findings(values: Iterable[bytes], authserv_id: str) -> tuple[Finding, ...]:
    """Return what fields of `authserv_id` say, among the `values` of all such fields of a message."""
    found: list[Finding] = []
    for value in values:
        name = read_authserv_id(value)
        if name is None or name.lower() != authserv_id.lower():
            continue
        text = _SPACES.sub(" ", value.decode("utf-8", "replace"))
        position = text.find(";")
        while 0 <= position < len(text) and len(found) < MAX_FINDINGS:
            match = _FIELD.match(text, position + 1)
            if match is None:
                break
            found.append(_finding(match))
            position = match.end()
            if text[position : position + 1] != ";":
                break
    return tuple(found)


def _finding(match: re.Match[str]) -> Finding:
    properties = tuple(
        (kind, name, _plain(quoted) if quoted else bare)
        for kind, name, quoted, bare in _PROPERTY.findall(match["properties"])
    )
    return Finding(
        match["method"].lower(),
        match["result"].lower(),
        _plain(match["reason"] or ""),
        _plain(match["comment"] or ""),
        properties,
    )


def _plain(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)

"""The Received-SPF header field (RFC 7208 §9.1)."""

import re

from postroad.trust.spf.result import SpfCheck, SpfResult

# So that no line is longer than 998 octets (RFC 5322 §2.1.1), quoted or in UTF-8.
_MAX_ASCII = 320
_MAX_TEXT = 150
_DOT_ATOM = re.compile(r"[0-9A-Za-z!#$%&'*+\-/=?^_`{|}~]+(?:\.[0-9A-Za-z!#$%&'*+\-/=?^_`{|}~]+)*")
_NOT_TEXT = re.compile(r"[^ -~\u00a0-\U0010ffff]")
_NEEDS_BACKSLASH = re.compile(r'(["\\])')
_NOT_IN_COMMENT = re.compile(r"[()\\]")

_WORDS = {
    SpfResult.NONE: "no SPF record says who sends for {domain}",
    SpfResult.NEUTRAL: "{domain} says nothing of {ip}",
    SpfResult.PASS: "{domain} designates {ip} as permitted sender",
    SpfResult.FAIL: "{domain} does not designate {ip} as permitted sender",
    SpfResult.SOFTFAIL: "{domain} does not designate {ip}, in transition",
    SpfResult.TEMPERROR: "the DNS did not answer",
    SpfResult.PERMERROR: "the SPF record cannot be used",
}


def received_spf(check: SpfCheck, receiver: str) -> bytes:
    """Return the field for a check made by the host `receiver`, folded, CRLF at its end.

    What came from a client or the DNS is cut to size, and cleaned of whatever could end a line or a
    comment. The octets are UTF-8 where the sender's address is (RFC 6532).
    """
    comment = _WORDS[check.result].format(domain=check.domain, ip=check.ip)
    pairs = [
        ("receiver", receiver),
        ("client-ip", check.ip),
        ("envelope-from", check.sender),
        ("helo", check.helo),
        ("identity", check.identity.value),
    ]
    if check.term:
        pairs.append(("mechanism", check.term))
    if check.result in (SpfResult.TEMPERROR, SpfResult.PERMERROR):
        pairs.append(("problem", check.reason))
    lines = [f"Received-SPF: {check.result.value} ({_comment(receiver)}: {_comment(comment)})"]
    lines.extend(f"{key}={_value(value)};" for key, value in pairs)
    return ("\r\n\t".join(lines) + "\r\n").encode("utf-8", "replace")


def _value(text: str) -> str:
    text = _clean(text)
    if _DOT_ATOM.fullmatch(text):
        return text
    return '"' + _NEEDS_BACKSLASH.sub(r"\\\1", text) + '"'


def _comment(text: str) -> str:
    return _NOT_IN_COMMENT.sub("?", _clean(text))


def _clean(text: str) -> str:
    return _NOT_TEXT.sub("?", text[: _MAX_ASCII if text.isascii() else _MAX_TEXT])

"""The policy file of MTA-STS (RFC 8461 §3.2) and what it says of an MX host (RFC 8461 §4.1)."""

import re
from collections.abc import Sequence

from postroad.model import StsMode, StsPolicy

MAX_POLICY_OCTETS = 64 * 1024  # RFC 8461 §3.3 asks for a limit and names this one
_MAX_AGE_SECONDS = 31_557_600  # RFC 8461 §3.2: about a year
_MAX_PATTERNS = 200
_LINE = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31})[ \t]*:[ \t]*(.*)")
_PATTERN = re.compile(r"(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]{0,252}[a-z0-9])?")


class StsInvalid(Exception):
    """No policy, or no record; the message says what is wrong with it."""


def parse_policy(text: bytes, *, domain: str, id: str, at: float) -> StsPolicy:
    """Read a policy file fetched at `at` for the record `id` of `domain`.

    Of a key that comes again the first counts, and unknown keys are passed over (RFC 8461 §3.2).
    Raises `StsInvalid`.
    """
    if len(text) > MAX_POLICY_OCTETS:
        raise StsInvalid(f"the policy has more than {MAX_POLICY_OCTETS} octets")
    try:
        lines = text.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise StsInvalid("the policy is not UTF-8") from None
    found: dict[str, str] = {}
    patterns: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise StsInvalid(f"line {number} is not 'key: value'")
        key, value = match[1], match[2].strip()
        if number == 1 and key != "version":
            raise StsInvalid("the policy does not begin with its version")
        if key == "mx":
            patterns.append(_pattern(value))
        else:
            found.setdefault(key, value)
    if found.get("version") != "STSv1":
        raise StsInvalid("version is not STSv1")
    try:
        mode = StsMode(found.get("mode"))
    except ValueError:
        raise StsInvalid("mode is not enforce, testing or none") from None
    if not patterns and mode is not StsMode.NONE:
        raise StsInvalid(f"mode {mode.value} without any mx")
    if len(patterns) > _MAX_PATTERNS:
        raise StsInvalid(f"more than {_MAX_PATTERNS} mx")
    return StsPolicy(domain, id, mode, tuple(patterns), _max_age(found.get("max_age", "")), at)


def _max_age(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise StsInvalid("max_age is not a number of seconds")
    return min(int(text), _MAX_AGE_SECONDS)


def _pattern(text: str) -> str:
    pattern = text.lower().removesuffix(".")
    if not _PATTERN.fullmatch(pattern) or ".." in pattern:
        raise StsInvalid(f"mx {text[:80]!r} is neither a host name nor '*.' and one")
    return pattern


def matches(patterns: Sequence[str], host: str) -> bool:
    """Whether an MX host (lower case) is one that the policy names. RFC 8461 §4.1: ``*`` stands for
    exactly the leftmost label.
    """
    if host in patterns:
        return True
    _, dot, rest = host.partition(".")
    return bool(dot) and f"*.{rest}" in patterns


def write_policy(mode: StsMode, hosts: Sequence[str], max_age: int) -> str:
    """Return a policy file, to be served at ``/.well-known/mta-sts.txt`` of host ``mta-sts.DOMAIN``."""
    policy = StsPolicy("", "", mode, tuple(hosts), max_age, 0.0)
    return "".join(f"{line}\r\n" for line in policy.lines)

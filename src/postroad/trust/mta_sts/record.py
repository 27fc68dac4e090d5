"""The DNS record of MTA-STS, at ``_mta-sts.DOMAIN`` (RFC 8461 §3.1)."""

import hashlib
import re
from collections.abc import Sequence

from postroad.trust.mta_sts.policy import StsInvalid

_FIELD = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31})[ \t]*=[ \t]*([!-:<>-~]+)")
_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_VERSION = re.compile(r"v=STSv1[ \t]*(?:;|$)")


def parse_record(records: Sequence[str]) -> str | None:
    """Return the policy's id out of the TXT records of a domain, None where it has no MTA-STS.

    Raises `StsInvalid` where there are several (RFC 8461 §3.1: as if there were none) or one that is
    wrong.
    """
    ours = [text for text in records if _VERSION.match(text)]
    if not ours:
        return None
    if len(ours) > 1:
        raise StsInvalid("there is more than one MTA-STS record")
    fields: dict[str, str] = {}
    for part in ours[0].split(";"):
        if not part.strip():
            continue
        match = _FIELD.fullmatch(part.strip())
        if match is None:
            raise StsInvalid(f"{part.strip()[:80]!r} in the MTA-STS record is not key=value")
        fields.setdefault(match[1], match[2])
    found = fields.get("id", "")
    if not _ID.fullmatch(found):
        raise StsInvalid("the MTA-STS record has no id of 1 to 32 letters and digits")
    return found


def write_record(policy: str) -> str:
    """Return the record that announces a policy file; its id changes whenever the file does."""
    return f"v=STSv1; id={hashlib.sha256(policy.encode()).hexdigest()[:20]};"

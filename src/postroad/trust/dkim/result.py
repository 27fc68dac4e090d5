"""What came of a signature, in the words of RFC 8601 §2.7.1, and why."""

from enum import Enum

from msgspec import Struct


class Result(Enum):
    """The result of one signature."""

    PASS = "pass"
    FAIL = "fail"  # it does not verify: the message was changed, or the signature has expired
    POLICY = "policy"  # it may verify and is not acceptable: weak key, rsa-sha1, part of the body
    NEUTRAL = "neutral"  # the field is no signature that can be read
    TEMPERROR = "temperror"  # the key could not be asked for now
    PERMERROR = "permerror"  # no key, a key that cannot be used, a required tag that is absent


class Refused(Exception):
    """A signature or a key that cannot be used; it never leaves this room."""

    def __init__(self, result: Result, reason: str) -> None:
        super().__init__(reason)
        self.result = result
        self.reason = reason


class Checked(Struct, frozen=True):
    """The result of one signature.

    `domain` signed (d=), `identity` (i=) is in it; both are `""` where the field could not be read.
    `testing` says that the domain is only trying DKIM out (t=y, RFC 6376 §3.6.1): whoever acts on the
    result is to treat the message as unsigned. `start` is the beginning of the signature itself, which
    tells signatures of one domain apart (RFC 6008).
    """

    result: Result
    reason: str
    domain: str = ""
    selector: str = ""
    identity: str = ""
    algorithm: str = ""
    key_bits: int = 0
    testing: bool = False
    start: str = ""

"""DKIM: who vouches for a message (RFC 6376, RFC 8301, RFC 8463).

Own, on the primitives of `cryptography`. `Verification` and `Signer` take the body chunk by chunk while
it arrives; `verify` and `sign` take whole messages.
"""

from postroad.trust.dkim.canonical import BodyHasher, BodyKind, Form
from postroad.trust.dkim.keys import (
    InvalidKey,
    SigningKey,
    generate,
    load,
    make_selector,
    zone_line,
)
from postroad.trust.dkim.publication import publication_problem
from postroad.trust.dkim.result import Checked, Result
from postroad.trust.dkim.sign import Signer, SignSettings, sign
from postroad.trust.dkim.signature import Algorithm
from postroad.trust.dkim.verify import Verification, VerifySettings, verify

__all__ = [
    "Algorithm",
    "BodyHasher",
    "BodyKind",
    "Checked",
    "Form",
    "InvalidKey",
    "Result",
    "SignSettings",
    "Signer",
    "SigningKey",
    "Verification",
    "VerifySettings",
    "generate",
    "load",
    "make_selector",
    "publication_problem",
    "sign",
    "verify",
    "zone_line",
]

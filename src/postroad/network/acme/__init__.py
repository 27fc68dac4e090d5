"""A certificate authority that speaks ACME (RFC 8555), and the two ways to prove a name to it.

The protocol is left to the package `acme`, which blocks: all of it happens in a thread of its own. The
package is an extra (``pip install postroad[acme]``): most servers have certificates as files.
"""

from postroad.network.acme.authority import (
    AcmeAuthority,
    AcmeMissing,
    AcmeSettings,
    Binding,
    ensure_installed,
)
from postroad.network.acme.dns01 import DnsCommand, DnsProof, DnsUpdate, TsigKey
from postroad.network.acme.http01 import ChallengeDirectory, HttpProof
from postroad.network.acme.proof import Challenge, Proof

__all__ = [
    "AcmeAuthority",
    "AcmeMissing",
    "AcmeSettings",
    "Binding",
    "Challenge",
    "ChallengeDirectory",
    "DnsCommand",
    "DnsProof",
    "DnsUpdate",
    "HttpProof",
    "Proof",
    "TsigKey",
    "ensure_installed",
]

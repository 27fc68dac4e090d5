"""ARC: what earlier hops saw of a message (RFC 8617).

A chain that validates proves who sealed it and that nobody changed the message since; whether to believe
the sealers is for the policy to say.
"""

from postroad.trust.arc.first_hop import SeenDmarc, first_hop_dmarc
from postroad.trust.arc.seal import Sealer, seal
from postroad.trust.arc.verify import NO_CHAIN, Chain, ChainStatus, ChainVerification, verify

__all__ = [
    "NO_CHAIN",
    "Chain",
    "ChainStatus",
    "ChainVerification",
    "Sealer",
    "SeenDmarc",
    "first_hop_dmarc",
    "seal",
    "verify",
]

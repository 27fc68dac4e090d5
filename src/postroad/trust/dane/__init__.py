"""DANE for SMTP (RFC 6698, RFC 7671, RFC 7672): does a server's certificate fit its TLSA records?"""

from postroad.trust.dane.tlsa import Tlsa, Usage, parse_tlsa, usable
from postroad.trust.dane.verify import DaneProblem, DaneVerdict, verify_dane

__all__ = [
    "DaneProblem",
    "DaneVerdict",
    "Tlsa",
    "Usage",
    "parse_tlsa",
    "usable",
    "verify_dane",
]

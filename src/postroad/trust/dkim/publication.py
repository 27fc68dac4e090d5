"""Whether the DNS has the record of a key of ours."""

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from postroad.ports.resolver import Resolver
from postroad.trust.dkim.keys import SigningKey
from postroad.trust.dkim.record import PublicKey, find_key, parse_key
from postroad.trust.dkim.result import Refused


async def publication_problem(key: SigningKey, resolver: Resolver) -> str:
    """Return why nobody could verify what the key signs, ``""`` where all is well. Never raises."""
    try:
        found = await find_key(key.selector, key.domain, resolver)
    except Refused as refused:
        return refused.reason
    if _octets(found.key) != _octets(parse_key(key.record()).key):
        return f"{key.name} has another key"
    if found.testing:
        return f"{key.name} says that it is only for testing (t=y)"
    return ""


def _octets(key: PublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

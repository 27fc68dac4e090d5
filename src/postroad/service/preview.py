"""What a receiver will say of the sender of a message before it is sent: SPF, DKIM and DMARC.

Evaluated as receivers do, with the address that the message would come from. Nothing is sent, and
nothing is raised for what is in the message or the DNS.
"""

from msgspec import Struct

from postroad.message.header import Header
from postroad.model import Address
from postroad.ports import Resolver
from postroad.trust.dkim import Checked, Result, verify
from postroad.trust.dmarc import (
    DmarcCheck,
    DmarcResult,
    Identifier,
    Mechanism,
    Policy,
    Proof,
    author_of,
    evaluate,
    identifier_of_spf,
)
from postroad.trust.spf import Identity, SpfCheck, SpfResult, check_spf

_PROOFS = {Result.PASS: Proof.PASS, Result.TEMPERROR: Proof.UNKNOWN}


class Preview(Struct, frozen=True):
    """What will be said of a message that comes from `address`."""

    address: str
    spf: SpfCheck
    dkim: tuple[Checked, ...]
    dmarc: DmarcCheck

    @property
    def fails(self) -> bool:
        """Whether receivers are asked to refuse it or put it away: by DMARC, else by SPF."""
        return self.dmarc.policy is not Policy.NONE or (
            self.spf.result is SpfResult.FAIL and self.dmarc.result is not DmarcResult.PASS
        )

    @property
    def doubtful(self) -> bool:
        """Whether nothing proves the author's domain, so that it may land in Junk all the same."""
        return self.dmarc.result is not DmarcResult.PASS


async def preview(
    message: bytes,
    sender: Address | None,
    *,
    address: str,
    helo: str,
    resolver: Resolver,
    now: float,
) -> Preview:
    """Evaluate `message` (as it would be sent, CRLF) for one outgoing IP address."""
    spf = await check_spf(
        resolver,
        ip=address,
        helo=helo,
        sender=sender,
        identity=Identity.HELO if sender is None else Identity.MAIL_FROM,
    )
    dkim = await verify(message, resolver, now)
    identifiers = [identifier_of_spf(spf), *(_identifier(each) for each in dkim if each.domain)]
    dmarc = await evaluate(resolver, author_of(Header.parse(message)), identifiers)
    return Preview(address, spf, dkim, dmarc)


def _identifier(checked: Checked) -> Identifier:
    proof = _PROOFS.get(checked.result, Proof.FAIL)
    if checked.testing:
        proof = Proof.FAIL  # RFC 6376 §3.6.1: as if it were not signed
    return Identifier(Mechanism.DKIM, checked.domain, proof, checked.selector)

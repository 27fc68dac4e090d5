"""DKIM and ARC: who vouches for this message (RFC 6376, RFC 8617)?

The body is hashed while it arrives, once for both, and only where the header has a signature.
"""

from collections.abc import Iterable

from msgspec import Struct

from postroad.message.header import Header
from postroad.policy.checks.answers import answers_to
from postroad.policy.checks.recognition import Recognition
from postroad.policy.reading import MessageBegun
from postroad.policy.runner import Check, check
from postroad.policy.stages import MessageReceived
from postroad.policy.verdict import ACCEPT, Accept, Verdict
from postroad.ports import Clock, Resolver
from postroad.trust.arc import NO_CHAIN, Chain, ChainVerification
from postroad.trust.dkim import Checked, Verification, VerifySettings

_MAX_TOLD = 20


class Signatures(Struct, frozen=True):
    """The fact of DKIM: a result for each signature, the topmost first."""

    checked: tuple[Checked, ...] = ()


class SignatureReader:
    """Hashes the body of one message for its signatures; `header` is the parsed header."""

    def __init__(self, header: Header, settings: VerifySettings) -> None:
        self.header = header
        self.dkim = Verification(header, settings)
        self.arc = ChainVerification(header)

    def write(self, chunk: bytes) -> None:
        """Take the next octets of the body."""
        if self.dkim.wants_body:
            self.dkim.write(chunk)
        if self.arc.wants_body:
            self.arc.write(chunk)


def recognise_signers(settings: Recognition, resolver: Resolver, clock: Clock) -> Check:
    """Verify the DKIM signatures. The fact is `Signatures`; no result refuses a message by itself."""
    verify = VerifySettings(max_signatures=settings.max_signatures)

    def read(begun: MessageBegun) -> SignatureReader | None:
        if not settings.concerns(begun.origin):
            return None
        head = begun.head.lower()
        if b"dkim-signature" not in head and b"arc-" not in head:
            return None
        return SignatureReader(begun.header, verify)

    @check(stage=MessageReceived, name="dkim", reads=read)
    async def dkim(stage: MessageReceived) -> Verdict:
        if not settings.concerns(stage.origin):
            return ACCEPT
        reader = stage.reading(SignatureReader)
        if reader is None or not reader.dkim.found:
            return Accept("none: there is no signature", fact=Signatures())
        keys = await _keys(reader.dkim.key_names(), settings, resolver)
        checked = await reader.dkim.results(keys, clock.now())
        reasons = [
            f"{each.result.value} of {each.domain or '?'} ({each.selector or '?'}): {each.reason}"
            for each in checked[:_MAX_TOLD]
        ]
        if len(checked) > _MAX_TOLD:
            reasons.append(f"{len(checked) - _MAX_TOLD} more are not told of")
        if reader.dkim.found > len(checked):
            reasons.append(f"{reader.dkim.found - len(checked)} more were not looked at")
        return Accept("; ".join(reasons), fact=Signatures(checked))

    return dkim


def recognise_sealers(settings: Recognition, resolver: Resolver) -> Check:
    """Validate the ARC chain that the reader of DKIM has hashed for. The fact is a `Chain`."""

    @check(stage=MessageReceived, name="arc")
    async def arc(stage: MessageReceived) -> Verdict:
        reader = stage.reading(SignatureReader)
        if reader is None:
            return ACCEPT
        keys = await _keys(reader.arc.key_names(), settings, resolver)
        chain: Chain = await reader.arc.result(keys)
        if chain is NO_CHAIN:
            return ACCEPT
        sealers = ", ".join(chain.sealers[:10])
        return Accept(f"{chain.status.value}: {chain.reason} ({sealers})", fact=chain)

    return arc


async def _keys(names: Iterable[str], settings: Recognition, resolver: Resolver) -> Resolver:
    return await answers_to([(name, "TXT") for name in names], resolver, settings.key_seconds)

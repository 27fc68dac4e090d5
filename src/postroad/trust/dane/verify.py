"""Does the chain that a server showed fit its TLSA records? RFC 7671 §5, RFC 7672 §3.

The chain is a stranger's: its length, the candidates at each step and the signatures tried are bounded,
and what cannot be read fits nothing.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import Enum

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_public_key
from msgspec import Struct

from postroad.trust.dane.certificate import Certificate, CertificateInvalid
from postroad.trust.dane.tlsa import Tlsa, Usage

_MAX_CHAIN = 10
_MAX_SIGNATURES = 50


class DaneProblem(Enum):
    """Why a chain does not fit."""

    NO_MATCH = "no TLSA record fits"
    NAME = "the certificate has another name"
    EXPIRED = "a certificate is not within its time"
    CHAIN = "the chain does not hold"
    NO_ISSUER = "no trusted authority issued it"


class DaneVerdict(Struct, frozen=True):
    """What came of it: the record that fits at `depth` of the chain (0 is the leaf), and what is wrong
    all the same. Nothing is wrong where `problem` is None.
    """

    record: Tlsa | None
    depth: int
    problem: DaneProblem | None = None
    reason: str = ""


def verify_dane(
    records: Sequence[Tlsa],
    chain: Sequence[bytes],
    names: Sequence[str],
    at: float,
    *,
    roots: Sequence[bytes] = (),
    check_leaf_name: bool = False,
) -> DaneVerdict:
    """Judge the chain (DER, the leaf first) of a server that may be called by any of `names`, at a time
    in seconds since 1970.

    A fitting leaf (usage 3) needs neither name nor date (RFC 7672 §3.1.1), unless `check_leaf_name`;
    an authority (usage 2) vouches only for a valid chain with a fitting name (RFC 7672 §3.1.2).
    `roots` are what usages 0 and 1 trust; SMTP has none, see `usable`.
    """
    try:
        certificates = [Certificate(der) for der in chain[:_MAX_CHAIN]]
    except CertificateInvalid as error:
        return DaneVerdict(None, -1, DaneProblem.CHAIN, str(error))
    if not certificates:
        return DaneVerdict(None, -1, DaneProblem.CHAIN, "the server showed no certificate")
    leaf = certificates[0]
    for record in records:
        if record.usage == Usage.DANE_EE and record.fits(leaf.der, leaf.key):
            if check_leaf_name and not leaf.is_for(names):
                return _misnamed(record, 0, leaf, names)
            return DaneVerdict(record, 0)
    search = _Search(certificates, records, [Certificate(der) for der in roots], names, at)
    return (
        search.by_anchor()
        or search.by_root()
        or DaneVerdict(None, -1, DaneProblem.NO_MATCH, DaneProblem.NO_MATCH.value)
    )


class _Search:
    """Ways up from the leaf, and what the records say of each."""

    def __init__(
        self,
        chain: Sequence[Certificate],
        records: Sequence[Tlsa],
        roots: Sequence[Certificate],
        names: Sequence[str],
        at: float,
    ) -> None:
        self._leaf = chain[0]
        self._records = records
        self._roots = roots
        self._names = names
        self._at = datetime.fromtimestamp(at, UTC)
        self._pool = [*chain[1:], *_from_dns(records)]
        self._signatures = _MAX_SIGNATURES

    def by_anchor(self) -> DaneVerdict | None:
        """Usage 2: the lowest authority on a way up that a record names."""
        anchors = [record for record in self._records if record.usage == Usage.DANE_TA]
        if not anchors:
            return None
        keys = [(record, key) for record in anchors if (key := _bare_key(record)) is not None]
        worst: DaneVerdict | None = None
        for path in self._ways((self._leaf,), self._pool):
            top, depth = path[-1], len(path) - 1
            # An authority vouches for others; for itself only where it is its own leaf.
            found = None
            if depth or top.self_issued:
                found = next((each for each in anchors if each.fits(top.der, top.key)), None)
            if found is None:
                found = next((each for each, key in keys if top.is_signed_by_key(key)), None)
            if found is not None:
                verdict = self._judge(found, depth, path)
                if verdict.problem is None:
                    return verdict
                worst = worst or verdict
        return worst

    def by_root(self) -> DaneVerdict | None:
        """Usages 0 and 1: the chain leads to a root that we trust, and a record fits on the way."""
        records = [each for each in self._records if each.usage in (Usage.PKIX_TA, Usage.PKIX_EE)]
        if not records or not self._roots:
            return None
        roots = {root.der for root in self._roots}
        led = False
        for path in self._ways((self._leaf,), [*self._pool, *self._roots]):
            if path[-1].der not in roots:
                continue
            led = True
            for depth, certificate in enumerate(path):
                wanted = Usage.PKIX_TA if depth else Usage.PKIX_EE
                for record in records:
                    if record.usage == wanted and record.fits(certificate.der, certificate.key):
                        return self._judge(record, depth, path)
        if not led:
            for record in records:
                if record.usage == Usage.PKIX_EE and record.fits(self._leaf.der, self._leaf.key):
                    problem = DaneProblem.NO_ISSUER
                    return DaneVerdict(record, 0, problem, problem.value)
        return None

    def _ways(
        self, path: tuple[Certificate, ...], pool: Sequence[Certificate]
    ) -> Iterator[tuple[Certificate, ...]]:
        """Yield ways up, the shortest first on each; each certificate signed by the next."""
        yield path
        top = path[-1]
        if len(path) >= _MAX_CHAIN:
            return
        for issuer in pool:
            if issuer.subject != top.issuer or any(issuer.der == each.der for each in path):
                continue
            if self._signatures <= 0:
                return
            self._signatures -= 1
            if top.is_signed_by(issuer):
                yield from self._ways((*path, issuer), pool)

    def _judge(self, record: Tlsa, depth: int, path: Sequence[Certificate]) -> DaneVerdict:
        """Whether the way holds that leads to what the record names."""
        leaf = path[0]
        for certificate in path:
            if not certificate.is_valid_at(self._at):
                begin, end = (
                    certificate.x509.not_valid_before_utc,
                    certificate.x509.not_valid_after_utc,
                )
                reason = f"a certificate is valid from {begin:%Y-%m-%d} to {end:%Y-%m-%d}"
                return DaneVerdict(record, depth, DaneProblem.EXPIRED, reason)
        wrong = leaf.may_serve()
        if wrong:
            return DaneVerdict(record, depth, DaneProblem.CHAIN, f"leaf: {wrong}")
        # A certificate that an authority issued to itself counts for no step (RFC 5280 §4.2.1.9).
        below = 0
        for number, issuer in enumerate(path[1:], 1):
            wrong = issuer.may_sign(below)
            if not wrong and not issuer.allows_names(leaf.names):
                wrong = "it may not sign for such names"
            if wrong:
                reason = f"certificate {number} of the chain: {wrong}"
                return DaneVerdict(record, depth, DaneProblem.CHAIN, reason)
            below += not issuer.self_issued
        if not leaf.is_for(self._names):
            return _misnamed(record, depth, leaf, self._names)
        return DaneVerdict(record, depth)


def _misnamed(record: Tlsa, depth: int, leaf: Certificate, names: Sequence[str]) -> DaneVerdict:
    shown = ", ".join(leaf.names[:5]) or "nobody"
    reason = f"the certificate is for {shown}, not {' or '.join(names)}"
    return DaneVerdict(record, depth, DaneProblem.NAME, reason)


def _from_dns(records: Sequence[Tlsa]) -> Iterator[Certificate]:
    """Authorities whose whole certificate is in the DNS: the server need not show them."""
    for record in records:
        if record.usage in (Usage.DANE_TA, Usage.PKIX_TA) and (
            record.selector,
            record.matching,
        ) == (0, 0):
            try:
                yield Certificate(record.data)
            except CertificateInvalid:
                continue


def _bare_key(record: Tlsa) -> object | None:
    """The key of an authority that is in the DNS without its certificate."""
    if (record.selector, record.matching) != (1, 0):
        return None
    try:
        return load_der_public_key(record.data)
    except (ValueError, UnsupportedAlgorithm):
        return None

"""From what was found of single messages to the rows of reports: equal ones are counted together."""

from collections.abc import Iterator

from msgspec import Struct

from postroad.trust.dmarc.record import DmarcRecord
from postroad.trust.dmarc.result import Discovery
from postroad.trust.dmarc_report.report import DkimAuth, PolicyPublished, Reason, Row, SpfAuth

MAX_DOMAINS = 10_000
MAX_ROWS_PER_DOMAIN = 10_000


class Observation(Struct, frozen=True):
    """One message, as one domain's report tells of it. `policy_domain` is where the record was found;
    `disposition` is what was done (``none``, ``quarantine``, ``reject``), `discovery` how it was found.
    """

    policy_domain: str
    record: DmarcRecord
    source_ip: str
    disposition: str
    dkim_aligned: bool
    spf_aligned: bool
    header_from: str
    envelope_from: str
    reasons: tuple[Reason, ...] = ()
    dkim_auth: tuple[DkimAuth, ...] = ()
    spf_auth: tuple[SpfAuth, ...] = ()
    discovery: Discovery = Discovery.TREE_WALK


class Tally:
    """Counts observations by policy domain. Bounded: what is beyond is counted in `left_out` alone."""

    def __init__(self) -> None:
        self._domains: dict[str, tuple[DmarcRecord, Discovery, dict[Row, int]]] = {}
        self.left_out = 0

    def add(self, seen: Observation) -> None:
        """Count one message. The policy reported is the one seen last (RFC 9990 §3.1.1)."""
        known = self._domains.get(seen.policy_domain)
        if known is None:
            if len(self._domains) >= MAX_DOMAINS:
                self.left_out += 1
                return
            rows: dict[Row, int] = {}
        else:
            rows = known[2]
        self._domains[seen.policy_domain] = (seen.record, seen.discovery, rows)
        row = Row(
            source_ip=seen.source_ip,
            count=0,
            disposition=seen.disposition,
            dkim="pass" if seen.dkim_aligned else "fail",
            spf="pass" if seen.spf_aligned else "fail",
            header_from=seen.header_from,
            envelope_from=seen.envelope_from,
            reasons=seen.reasons,
            dkim_auth=seen.dkim_auth,
            spf_auth=seen.spf_auth,
        )
        if row not in rows and len(rows) >= MAX_ROWS_PER_DOMAIN:
            self.left_out += 1
            return
        rows[row] = rows.get(row, 0) + 1

    def reports(self) -> Iterator[tuple[DmarcRecord, PolicyPublished, tuple[Row, ...]]]:
        """Yield record, policy and rows of each domain that wants reports."""
        for domain, (record, discovery, rows) in self._domains.items():
            if record.rua:
                counted = tuple(_with_count(row, count) for row, count in rows.items())
                yield record, published(domain, record, discovery), counted


def published(domain: str, record: DmarcRecord, discovery: Discovery) -> PolicyPublished:
    """Return a record as reports tell of it."""
    return PolicyPublished(
        domain=domain,
        p=record.p.value,
        sp=record.sp.value if record.sp else "",
        np=record.np.value if record.np else "",
        adkim="s" if record.strict_dkim else "r",
        aspf="s" if record.strict_spf else "r",
        fo=":".join(sorted(record.failure_options)),
        testing="y" if record.testing else "n",
        discovery_method=discovery.value,
    )


def _with_count(row: Row, count: int) -> Row:
    return Row(
        row.source_ip,
        count,
        row.disposition,
        row.dkim,
        row.spf,
        row.header_from,
        row.envelope_from,
        row.envelope_to,
        row.reasons,
        row.dkim_auth,
        row.spf_auth,
    )

"""An aggregate report as values. Texts are as they came, stripped and cut; ``""`` is absent."""

from msgspec import Struct


class ReportInvalid(Exception):
    """No report, or one beyond the bounds; the message says why."""


class Reason(Struct, frozen=True):
    """Why a policy was not applied: ``forwarded``, ``local_policy`` …, and a comment."""

    type: str
    comment: str = ""


class DkimAuth(Struct, frozen=True):
    """What came of one signature."""

    domain: str
    selector: str = ""
    result: str = ""
    human_result: str = ""


class SpfAuth(Struct, frozen=True):
    """What came of SPF; `scope` is ``mfrom`` or ``helo``."""

    domain: str
    scope: str = ""
    result: str = ""
    human_result: str = ""


class Row(Struct, frozen=True):
    """`count` messages from one address that fared alike. `dkim` and `spf` tell of alignment (``pass``,
    ``fail``), the results in `dkim_auth` and `spf_auth` of the mechanisms themselves.
    """

    source_ip: str
    count: int
    disposition: str
    dkim: str
    spf: str
    header_from: str
    envelope_from: str = ""
    envelope_to: str = ""
    reasons: tuple[Reason, ...] = ()
    dkim_auth: tuple[DkimAuth, ...] = ()
    spf_auth: tuple[SpfAuth, ...] = ()

    @property
    def passes(self) -> bool:
        """Whether DMARC passed."""
        return "pass" in (self.dkim, self.spf)


class PolicyPublished(Struct, frozen=True):
    """The policy that the receiver found. `pct` is of RFC 7489, the last two of RFC 9990."""

    domain: str
    p: str = ""
    sp: str = ""
    np: str = ""
    adkim: str = ""
    aspf: str = ""
    pct: str = ""
    fo: str = ""
    testing: str = ""
    discovery_method: str = ""


class AggregateReport(Struct, frozen=True):
    """A whole report. `begin` and `end` are seconds since 1970. `problems`: what could not be read."""

    org_name: str
    email: str
    report_id: str
    begin: int
    end: int
    policy: PolicyPublished
    rows: tuple[Row, ...]
    version: str = ""
    extra_contact_info: str = ""
    generator: str = ""
    errors: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def messages(self) -> int:
        """How many messages it tells of."""
        return sum(row.count for row in self.rows)

    @property
    def passed(self) -> int:
        """How many of these passed DMARC."""
        return sum(row.count for row in self.rows if row.passes)

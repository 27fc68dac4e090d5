"""Authentication-Results and Received-SPF: what we found, for whoever reads the mail here."""

from msgspec.structs import replace

from postroad.message.newfield import fields_of
from postroad.model import Findings
from postroad.policy.checks.recognition import Recognition
from postroad.policy.checks.signatures import Signatures
from postroad.policy.runner import Check, check
from postroad.policy.stages import MessageReceived
from postroad.policy.verdict import ACCEPT, Accept, Verdict
from postroad.trust.arc import Chain
from postroad.trust.dmarc import DmarcCheck
from postroad.trust.results import (
    Finding,
    arc_finding,
    dkim_findings,
    dmarc_findings,
    results_field,
    results_value,
    spf_finding,
)
from postroad.trust.spf import Identity, SpfCheck, SpfResult, received_spf


def write_results(settings: Recognition) -> Check:
    """Put the fields on top of the message (RFC 8601 §4.1, RFC 7208 §9.1). The fact is `Findings`."""

    @check(stage=MessageReceived, name="authentication-results")
    async def results(stage: MessageReceived) -> Verdict:
        if not settings.concerns(stage.origin):
            return ACCEPT
        findings: list[Finding] = []
        spf = stage.fact(SpfCheck)
        above = b""
        if spf is not None:
            if stage.envelope.sender is None:
                spf = replace(spf, identity=Identity.HELO)  # which is what there was to check
            findings.append(spf_finding(spf))
            if settings.received_spf:
                above = received_spf(spf, settings.authserv_id)
        signatures = stage.fact(Signatures)
        if signatures is not None:
            findings += dkim_findings(signatures.checked)
        chain = stage.fact(Chain)
        if chain is not None:
            findings.append(arc_finding(chain))
        dmarc = stage.fact(DmarcCheck)
        if dmarc is not None:
            findings += dmarc_findings(dmarc)
        value = results_value(settings.authserv_id, findings)
        return Accept(
            headers=fields_of(results_field(value) + above),
            fact=Findings(value.decode(), _sender_passed(spf)),
        )

    return results


def _sender_passed(spf: SpfCheck | None) -> bool:
    return spf is not None and (spf.identity, spf.result) == (Identity.MAIL_FROM, SpfResult.PASS)

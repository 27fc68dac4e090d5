"""What a report is to say of one message, from what was found when it came."""

from collections.abc import Sequence

from postroad.trust.dkim import Checked
from postroad.trust.dmarc import Discovery, DmarcCheck, Mechanism, Policy
from postroad.trust.dmarc_report.report import DkimAuth, Reason, SpfAuth
from postroad.trust.dmarc_report.tally import Observation
from postroad.trust.spf import Identity, SpfCheck

_MAX_SIGNATURES = 10
_SCOPES = {Identity.MAIL_FROM: "mfrom", Identity.HELO: "helo"}


def observe(
    found: DmarcCheck,
    spf: SpfCheck | None,
    signatures: Sequence[Checked],
    *,
    source_ip: str,
    envelope_from: str,
    disposition: Policy,
    override: str = "",
    discovery: Discovery = Discovery.TREE_WALK,
) -> list[Observation]:
    """Return an observation for each domain of the author whose owner wants reports.

    `envelope_from` is the domain of the envelope's sender. `disposition` is what was done; where that is
    milder than what was asked for, `override` says why. `discovery` is how the policy was looked for.
    """
    seen = []
    for each in found.domains:
        if each.record is None or not each.record.rua:
            continue
        reasons: tuple[Reason, ...] = ()
        if disposition.strictness < each.policy.strictness:
            reasons = (Reason("local_policy", override),)
        elif each.lowered_by:
            reasons = (Reason("policy_test_mode", each.lowered_by),)
        seen.append(
            Observation(
                policy_domain=each.policy_domain,
                record=each.record,
                source_ip=source_ip,
                disposition=disposition.value,
                dkim_aligned=each.aligned_by(Mechanism.DKIM),
                spf_aligned=each.aligned_by(Mechanism.SPF),
                header_from=each.domain,
                envelope_from=envelope_from,
                discovery=discovery,
                reasons=reasons,
                dkim_auth=tuple(
                    DkimAuth(one.domain, one.selector, one.result.value)
                    for one in signatures[:_MAX_SIGNATURES]
                    if one.domain
                ),
                spf_auth=()
                if spf is None
                else (SpfAuth(spf.domain, _SCOPES[spf.identity], spf.result.value),),
            )
        )
    return seen

"""Writing aggregate reports (RFC 9990 §3.1). What strangers wrote cannot break out of its place."""

import re
from collections.abc import Iterator

from postroad.trust.dmarc_report.report import AggregateReport, PolicyPublished, Row

NAMESPACE = "urn:ietf:params:xml:ns:dmarc-2.0"

# XML 1.0 §2.2: these are no characters in XML, not even as references.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


def write_aggregate(report: AggregateReport) -> bytes:
    """Return the report as an XML file in UTF-8."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<feedback xmlns="{NAMESPACE}">']
    lines.append("  <version>1.0</version>")
    lines.append("  <report_metadata>")
    lines += _texts(
        4,
        org_name=report.org_name,
        email=report.email,
        extra_contact_info=report.extra_contact_info,
        report_id=report.report_id,
    )
    lines += [
        "    <date_range>",
        *_texts(6, begin=str(report.begin), end=str(report.end)),
        "    </date_range>",
    ]
    for error in report.errors:
        lines += _texts(4, error=error)
    lines += _texts(4, generator=report.generator)
    lines.append("  </report_metadata>")
    lines += _policy(report.policy)
    for row in report.rows:
        lines += _row(row)
    lines.append("</feedback>\n")
    return "\n".join(lines).encode("utf-8")


def _policy(policy: PolicyPublished) -> Iterator[str]:
    yield "  <policy_published>"
    yield from _texts(
        4,
        domain=policy.domain,
        discovery_method=policy.discovery_method,
        p=policy.p,
        sp=policy.sp,
        np=policy.np,
        fo=policy.fo,
        adkim=policy.adkim,
        aspf=policy.aspf,
        testing=policy.testing,
    )
    yield "  </policy_published>"


def _row(row: Row) -> Iterator[str]:
    yield "  <record>"
    yield "    <row>"
    yield from _texts(6, source_ip=row.source_ip, count=str(row.count))
    yield "      <policy_evaluated>"
    yield from _texts(8, disposition=row.disposition, dkim=row.dkim, spf=row.spf)
    for reason in row.reasons:
        yield "        <reason>"
        yield from _texts(10, type=reason.type, comment=reason.comment)
        yield "        </reason>"
    yield "      </policy_evaluated>"
    yield "    </row>"
    yield "    <identifiers>"
    yield from _texts(
        6,
        header_from=row.header_from,
        envelope_from=row.envelope_from,
        envelope_to=row.envelope_to,
    )
    yield "    </identifiers>"
    yield "    <auth_results>"
    for dkim in row.dkim_auth:
        yield "      <dkim>"
        yield from _texts(
            8,
            domain=dkim.domain,
            selector=dkim.selector,
            result=dkim.result,
            human_result=dkim.human_result,
        )
        yield "      </dkim>"
    for spf in row.spf_auth:
        yield "      <spf>"
        yield from _texts(
            8,
            domain=spf.domain,
            scope=spf.scope,
            result=spf.result,
            human_result=spf.human_result,
        )
        yield "      </spf>"
    yield "    </auth_results>"
    yield "  </record>"


def _texts(indent: int, **texts: str) -> Iterator[str]:
    for name, text in texts.items():
        if text:
            yield f"{' ' * indent}<{name}>{_escape(text)}</{name}>"


def _escape(text: str) -> str:
    text = _NOT_XML.sub("\ufffd", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

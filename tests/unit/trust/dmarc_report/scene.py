"""A report, whole and in all its fields."""

from postroad.trust.dmarc_report import (
    AggregateReport,
    DkimAuth,
    PolicyPublished,
    Reason,
    Row,
    SpfAuth,
)

REPORT = AggregateReport(
    org_name="Here & there",
    email="postmaster@here.test",
    report_id="20261125.1@here.test",
    begin=1_795_564_800,
    end=1_795_651_199,
    policy=PolicyPublished(
        domain="there.test",
        p="reject",
        sp="none",
        np="reject",
        adkim="r",
        aspf="s",
        fo="0:1",
        testing="n",
        discovery_method="treewalk",
    ),
    rows=(
        Row(
            source_ip="192.0.2.1",
            count=3,
            disposition="none",
            dkim="pass",
            spf="fail",
            header_from="there.test",
            envelope_from="bounce.test",
            envelope_to="here.test",
            reasons=(Reason("forwarded", "by <list> & co"),),
            dkim_auth=(DkimAuth("there.test", "s1", "pass", "fine"),),
            spf_auth=(SpfAuth("bounce.test", "mfrom", "softfail"),),
        ),
        Row("2001:db8::1", 2, "reject", "fail", "fail", "there.test"),
    ),
    version="1.0",
    extra_contact_info="https://here.test",
    generator="Postroad",
    errors=("one",),
)

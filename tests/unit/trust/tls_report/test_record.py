"""Where a domain wants its TLS reports."""

import pytest

from postroad.trust.tls_report import parse_rua


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        (["v=TLSRPTv1; rua=mailto:tls@example.com"], ("mailto:tls@example.com",)),
        (
            ["v=TLSRPTv1;rua=mailto:a@b.test,https://c.test/v1"],
            ("mailto:a@b.test", "https://c.test/v1"),
        ),
        (["v=TLSRPTv1; rua=mailto:a%2Bb@c.test?subject=x"], ("mailto:a+b@c.test",)),
        (["v=TLSRPTv1; rua=ftp://c.test"], ()),
        (["v=TLSRPTv1; rua=" + ",".join(["mailto:a@b.test"] * 9)], ("mailto:a@b.test",) * 5),
        (["v=TLSRPTv1"], ()),
        (["v=TLSRPTv1; rua=mailto:a@b.test", "v=TLSRPTv1; rua=mailto:c@d.test"], ()),
        (["v=spf1 -all"], ()),
        ([], ()),
    ],
)
def test_places(records: list[str], expected: tuple[str, ...]) -> None:
    assert parse_rua(records) == expected

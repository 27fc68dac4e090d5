"""Zone lines, read back by dnspython."""

import dns.rdata
import dns.zone
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.service.domain_check.finding import Record, reverse_name, zone_file
from postroad.service.domain_check.setup import wanted_records
from tests.unit.service.domain_check.scene import DOMAIN, setup


@given(st.text(max_size=700))
def test_any_text_survives(text: str) -> None:
    line = Record("a.here.test", "TXT", text).zone_line()
    zone = dns.zone.from_text(
        line + "\n", origin="here.test.", relativize=False, check_origin=False
    )
    (rdata,) = zone.find_rdataset("a.here.test.", "TXT")
    assert b"".join(rdata.strings) == text.encode()


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (Record("h.test", "MX", "10 mail.h.test"), "h.test. 3600 IN MX 10 mail.h.test."),
        (Record("h.test", "SRV", "0 0 0 ."), "h.test. 3600 IN SRV 0 0 0 ."),
        (Record("h.test", "TXT", 'a"b\\c'), 'h.test. 3600 IN TXT "a\\"b\\\\c"'),
        (Record("h.test", "A", "192.0.2.1"), "h.test. 3600 IN A 192.0.2.1"),
    ],
)
def test_lines(record: Record, line: str) -> None:
    assert record.zone_line() == line


def test_the_zone_file_is_one() -> None:
    text = zone_file(wanted_records(DOMAIN, setup()))
    for line in text.splitlines():
        owner, _, _, kind, data = line.split(" ", 4)
        assert owner.endswith(".")
        dns.rdata.from_text("IN", kind, data)


def test_reverse_names() -> None:
    assert reverse_name("192.0.2.1") == "1.2.0.192.in-addr.arpa"
    assert reverse_name("2001:db8::1").endswith(".8.b.d.0.1.0.0.2.ip6.arpa")

"""Writing reports: well-formed whatever strangers put into them."""

import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from postroad.trust.dmarc_report.reading import read_aggregate
from postroad.trust.dmarc_report.writing import NAMESPACE, write_aggregate
from tests.unit.trust.dmarc_report.scene import REPORT


def test_another_parser_reads_it() -> None:
    root = ET.fromstring(write_aggregate(REPORT))
    assert root.tag == f"{{{NAMESPACE}}}feedback"
    names = {"x": NAMESPACE}
    assert root.findtext("x:policy_published/x:discovery_method", "", names) == "treewalk"
    assert [each.text for each in root.iterfind(".//x:count", names)] == ["3", "2"]
    assert root.findtext(".//x:reason/x:comment", "", names) == "by <list> & co"


@given(st.text())
def test_any_text_stays_in_its_place(text: str) -> None:
    row = replace(REPORT.rows[0], header_from=text, envelope_from="</record>" + text)
    written = write_aggregate(replace(REPORT, org_name=text, rows=(row,)))
    root = ET.fromstring(written)
    assert len(root) == 4
    assert len(read_aggregate(written).rows) == 1

"""The records that we want."""

from postroad.service.domain_check.setup import client_records, spf_record, wanted_records
from tests.unit.service.domain_check.scene import DOMAIN, HOST, setup


def test_without_addresses_spf_names_the_host() -> None:
    assert spf_record(DOMAIN, setup(addresses=())).data == f"v=spf1 a:{HOST} -all"


def test_reports_go_where_they_shall() -> None:
    records = wanted_records(DOMAIN, setup(reports_to="dmarc@other.test"))
    texts = [each.data for each in records if "rua=" in each.data]
    assert len(texts) == 2
    assert all("mailto:dmarc@other.test" in text for text in texts)


def test_what_nobody_vouches_for_is_not_published() -> None:
    assert all(each.type != "TLSA" for each in wanted_records(DOMAIN, setup(tlsa="")))


def test_a_domain_that_is_a_host_has_one_spf_record() -> None:
    records = wanted_records(HOST, setup())
    assert [each.data[:6] for each in records if each.name == HOST and each.type == "TXT"] == [
        "v=spf1"
    ]


def test_services_that_we_do_not_offer_are_denied() -> None:
    data = {each.name: each.data for each in client_records(DOMAIN, setup())}
    assert data[f"_imaps._tcp.{DOMAIN}"] == "0 0 0 ."
    assert data[f"_submissions._tcp.{DOMAIN}"] == f"0 1 465 {HOST}"
    assert data[f"_pop3._tcp.{DOMAIN}"] == f"10 1 110 {HOST}"

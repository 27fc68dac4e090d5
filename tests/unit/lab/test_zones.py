"""What the lab's DNS answers, by the letter of the RFCs, without sockets."""

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import pytest

from postroad.lab.zones import Zones, reverse_name


@pytest.fixture
def zones() -> Zones:
    zones = Zones(ttl=60)
    zones.add_zone("shop.test")
    zones.add("shop.test", "MX", "10 mx1.shop.test", "20 mx2.shop.test")
    zones.add("mx1.shop.test", "A", "127.0.0.3")
    return zones


def ask(zones: Zones, name: str, rdtype: str) -> dns.message.Message:
    return zones.answer(dns.message.make_query(name, rdtype))


def texts(response: dns.message.Message) -> list[str]:
    return [rdata.to_text() for rrset in response.answer for rdata in rrset]


def test_records_come_with_the_authority_bit(zones: Zones) -> None:
    response = ask(zones, "shop.test", "MX")

    assert texts(response) == ["10 mx1.shop.test.", "20 mx2.shop.test."]
    assert response.flags & dns.flags.AA
    assert response.flags & dns.flags.RA
    assert response.answer[0].ttl == 60


def test_case_does_not_matter(zones: Zones) -> None:
    assert texts(ask(zones, "MX1.Shop.TEST", "A")) == ["127.0.0.3"]


@pytest.mark.parametrize(
    ("rdtype", "text"),
    [
        ("A", "127.0.0.9"),
        ("AAAA", "::1"),
        ("TXT", '"v=spf1 mx -all"'),
        ("SRV", "0 1 587 mx1.shop.test."),
        ("PTR", "mx1.shop.test."),
        ("TLSA", "3 1 1 " + "ab" * 32),
        ("CAA", '0 issue "lab"'),
    ],
)
def test_every_type_of_record(zones: Zones, rdtype: str, text: str) -> None:
    zones.add("x.shop.test", rdtype, text)

    assert texts(ask(zones, "x.shop.test", rdtype)) == [text]


def test_txt_without_quotes_is_one_text_also_where_it_is_long(zones: Zones) -> None:
    text = 'v=DKIM1; p="' + "A" * 300

    zones.add("k.shop.test", "TXT", text)

    answer = ask(zones, "k.shop.test", "TXT").answer[0][0]
    assert b"".join(answer.strings) == text.encode()
    assert len(answer.strings) == 2


def test_a_name_without_records_of_the_type_has_no_data_and_a_soa(zones: Zones) -> None:
    response = ask(zones, "mx1.shop.test", "AAAA")

    assert response.rcode() == dns.rcode.NOERROR
    assert not response.answer
    assert response.authority[0].rdtype == dns.rdatatype.SOA
    assert response.authority[0].name.to_text() == "shop.test."


def test_a_name_between_names_exists(zones: Zones) -> None:
    zones.add("a.b.shop.test", "A", "127.0.0.4")

    assert ask(zones, "b.shop.test", "A").rcode() == dns.rcode.NOERROR


def test_an_unknown_name_is_nxdomain_with_the_soa_of_its_zone(zones: Zones) -> None:
    inside = ask(zones, "no.shop.test", "A")
    outside = ask(zones, "example.org", "MX")

    assert inside.rcode() == outside.rcode() == dns.rcode.NXDOMAIN
    assert inside.authority[0].name.to_text() == "shop.test."
    assert outside.authority[0].name.to_text() == "."


def test_cnames_are_followed_to_their_end(zones: Zones) -> None:
    zones.add("www.shop.test", "CNAME", "web.shop.test")
    zones.add("web.shop.test", "CNAME", "mx1.shop.test")
    zones.add("dead.shop.test", "CNAME", "nowhere.shop.test")

    assert texts(ask(zones, "www.shop.test", "A")) == [
        "web.shop.test.",
        "mx1.shop.test.",
        "127.0.0.3",
    ]
    assert ask(zones, "dead.shop.test", "A").rcode() == dns.rcode.NXDOMAIN


def test_a_circle_of_cnames_ends(zones: Zones) -> None:
    zones.add("a.shop.test", "CNAME", "b.shop.test")
    zones.add("b.shop.test", "CNAME", "a.shop.test")

    assert len(ask(zones, "a.shop.test", "A").answer) <= 16


def test_a_wildcard_answers_below_it_and_nowhere_else(zones: Zones) -> None:
    zones.add("*.shop.test", "MX", "5 mx1.shop.test")

    assert texts(ask(zones, "any.shop.test", "MX")) == ["5 mx1.shop.test."]
    assert texts(ask(zones, "deep.any.shop.test", "MX")) == ["5 mx1.shop.test."]
    # RFC 4592 §2.2.1: a name that exists is not covered.
    assert not ask(zones, "mx1.shop.test", "MX").answer
    assert ask(zones, "below.mx1.shop.test", "MX").rcode() == dns.rcode.NXDOMAIN


def test_changes_are_seen_at_once_and_count_up_the_serial(zones: Zones) -> None:
    before = ask(zones, "shop.test", "SOA").answer[0][0].serial

    zones.replace("shop.test", "MX", "0 .")
    assert texts(ask(zones, "shop.test", "MX")) == ["0 ."]
    zones.add("shop.test", "MX", "30 mx3.shop.test")
    zones.remove("shop.test", "MX", "0 .")
    assert zones.records("shop.test", "MX") == ["30 mx3.shop.test."]
    zones.remove("shop.test", "MX")
    assert not ask(zones, "shop.test", "MX").answer
    assert ask(zones, "shop.test", "SOA").answer[0][0].serial > before


def test_a_removed_zone_is_gone_with_its_names(zones: Zones) -> None:
    zones.remove_zone("shop.test")

    assert ask(zones, "mx1.shop.test", "A").rcode() == dns.rcode.NXDOMAIN


def test_zones_as_text() -> None:
    zones = Zones()
    zones.add_zone("text.test", "@ MX 10 mail\nmail A 127.0.0.5\n300 TXT hello\n")

    assert texts(ask(zones, "text.test", "MX")) == ["10 mail.text.test."]
    assert texts(ask(zones, "mail.text.test", "A")) == ["127.0.0.5"]
    assert ask(zones, "text.test", "SOA").answer
    assert "mail.text.test. 0 IN A 127.0.0.5" in list(zones)


def test_other_classes_and_opcodes_are_refused(zones: Zones) -> None:
    chaos = dns.message.make_query("shop.test", "MX", rdclass="CH")
    notify = dns.message.make_query("shop.test", "SOA")
    notify.set_opcode(dns.opcode.NOTIFY)

    assert zones.answer(chaos).rcode() == dns.rcode.REFUSED
    assert zones.answer(notify).rcode() == dns.rcode.NOTIMP


def test_reverse_names() -> None:
    assert reverse_name("127.0.0.3") == "3.0.0.127.in-addr.arpa."

"""What the suite of openspf.org does not ask: bounds, hostile zones, identities, words."""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroad.model import Address
from postroad.trust.spf import Identity, SpfCheck, SpfLimits, SpfResult, check_spf
from tests.fake_dns import FakeDns, Records

SENDER = Address("user", "example.com")


async def check(records: Records, ip: str = "192.0.2.1", **more: Any) -> SpfCheck:
    arguments: dict[str, Any] = {"helo": "mx.example.net", "sender": SENDER, **more}
    return await check_spf(FakeDns(records), ip=ip, **arguments)


def spf(text: str) -> dict[str, list[str]]:
    return {"TXT": [f"v=spf1 {text}"]}


async def test_steps_tell_an_operator_what_happened() -> None:
    found = await check(
        {
            "example.com": spf("a include:_spf.example.net -all"),
            "_spf.example.net": spf("ip4:198.51.100.0/24 mx:example.net ~all"),
            "example.net": {"MX": ["10 mx.example.net"]},
            "mx.example.net": {"A": ["192.0.2.1"]},
        },
        explain=True,
    )
    assert found.result is SpfResult.PASS
    assert found.term == "include:_spf.example.net"
    assert found.reason == "include:_spf.example.net of example.com matches 192.0.2.1"
    assert (found.terms, found.voids) == (3, 1)
    assert [str(step) for step in found.steps] == [
        "example.com: record v=spf1 a include:_spf.example.net -all",
        "example.com: a does not match",
        "example.com: include:_spf.example.net asks _spf.example.net",
        "  _spf.example.net: record v=spf1 ip4:198.51.100.0/24 mx:example.net ~all",
        "  _spf.example.net: ip4:198.51.100.0/24 does not match",
        "  _spf.example.net: mx:example.net matches: pass",
        "example.com: include:_spf.example.net matches: pass",
    ]


async def test_without_explain_no_steps_are_kept() -> None:
    assert (await check({"example.com": spf("-all")})).steps == ()


async def test_identities() -> None:
    records = {"example.com": spf("-all"), "mx.example.net": spf("+all")}
    mail_from = await check(records)
    assert (mail_from.identity, mail_from.domain) == (Identity.MAIL_FROM, "example.com")
    assert mail_from.result is SpfResult.FAIL
    null = await check(records, sender=None)
    assert (null.identity, null.domain) == (Identity.MAIL_FROM, "mx.example.net")
    assert null.sender == "postmaster@mx.example.net"
    assert null.result is SpfResult.PASS
    helo = await check(records, identity=Identity.HELO)
    assert (helo.identity, helo.domain) == (Identity.HELO, "mx.example.net")
    assert helo.result is SpfResult.PASS


async def test_an_address_mapped_into_ipv6_is_ipv4() -> None:
    found = await check({"example.com": spf("ip4:192.0.2.1 -all")}, ip="::ffff:192.0.2.1")
    assert (found.result, found.ip) == (SpfResult.PASS, "192.0.2.1")


async def test_time_that_is_over_is_a_temperror() -> None:
    lookups = itertools.count()
    found = await check(
        {"example.com": spf("a:b.example.com a:c.example.com -all")},
        expired=lambda: next(lookups) >= 2,
    )
    assert found.result is SpfResult.TEMPERROR
    assert found.reason == "the check took too long"


async def test_a_dns_that_fails_says_which_question() -> None:
    dns = FakeDns({"example.com": spf("mx -all")}, failing=[("example.com", "MX")])
    found = await check_spf(dns, ip="192.0.2.1", helo="x.example", sender=SENDER)
    assert found.result is SpfResult.TEMPERROR
    assert found.reason == "MX of example.com could not be asked: no answer within 15 s"


async def test_limits_can_be_set() -> None:
    records = {"example.com": spf("a:b.example.com a:c.example.com a:d.example.com ?all")}
    assert (await check(records)).result is SpfResult.PERMERROR
    lenient = await check(records, limits=SpfLimits(voids=3))
    assert (lenient.result, lenient.voids) == (SpfResult.NEUTRAL, 3)
    strict = await check(records, limits=SpfLimits(terms=1))
    assert strict.reason == "more than 1 terms that need the DNS"


async def test_a_local_part_beyond_ascii_matches_no_name() -> None:
    dns = FakeDns({"example.com": spf("exists:%{l}.a.example.com exists:%{s}.b.example.com -all")})
    sender = Address("j\u00f6rg", "example.com")
    found = await check_spf(dns, ip="192.0.2.1", helo="x.example", sender=sender)
    assert found.result is SpfResult.FAIL
    assert dns.asked == [("example.com", "TXT")]


async def test_a_backslash_in_a_local_part_does_not_escape_into_the_dns() -> None:
    dns = FakeDns({"example.com": spf("exists:%{l}.a.example.com -all")})
    sender = Address("a\\.b", "example.com")
    await check_spf(dns, ip="192.0.2.1", helo="x.example", sender=sender)
    assert dns.asked[-1] == ("a\\\\.b.a.example.com", "A")


async def test_a_helo_in_u_labels_is_asked_in_a_labels() -> None:
    found = await check(
        {"xn--bcher-kva.example": spf("a:%{h} -all") | {"A": ["192.0.2.1"]}},
        sender=None,
        helo="b\u00fccher.example",
    )
    assert (found.result, found.domain) == (SpfResult.PASS, "xn--bcher-kva.example")


class TestExplanations:
    async def explanation(self, text: str, **more: Any) -> str:
        records = {
            "example.com": spf("-all exp=why.example.com"),
            "why.example.com": {"TXT": [text]},
        }
        return (await check(records, **more)).explanation

    async def test_macros(self) -> None:
        text = "%{i} is not one of %{d}'s designated mail servers, says %{r}."
        assert await self.explanation(text, receiver="mx.r.example") == (
            "192.0.2.1 is not one of example.com's designated mail servers, says mx.r.example."
        )

    @pytest.mark.parametrize("text", ["%x", "a\r\nb", "\u00fc", "\0", "x" * 1025, "%{l}"])
    async def test_what_could_do_harm_is_left_out(self, text: str) -> None:
        assert await self.explanation(text, sender=Address("\u00e4", "example.com")) == ""

    async def test_it_is_cut(self) -> None:
        sender = Address("l" * 64, "example.com")
        assert len(await self.explanation("%{l}" * 200, sender=sender)) == 512

    async def test_only_failures_are_explained(self) -> None:
        dns = FakeDns({"example.com": spf("~all exp=why.example.com")})
        await check_spf(dns, ip="192.0.2.1", helo="x.example", sender=SENDER)
        assert dns.asked == [("example.com", "TXT")]


class TestHostileZones:
    """ATTACKS 24."""

    async def test_a_megabyte_of_text(self) -> None:
        found = await check({"example.com": {"TXT": ["v=spf1 " + "a " * 500_000]}})
        assert found.result is SpfResult.PERMERROR
        noise = ["x" * 1_000_000, *("n" * 1000 for _ in range(1000)), "v=spf1 +all"]
        assert (await check({"example.com": {"TXT": noise}})).result is SpfResult.PASS

    async def test_fan_out_of_includes_ends_at_the_eleventh(self) -> None:
        zone = {
            f"{n}.example.com": spf(
                " ".join(f"?include:{n * 10 + m}.example.com" for m in range(10))
            )
            for n in range(1, 200)
        }
        leaves = {f"{n}.example.com": spf("-all") for n in range(200, 2000)}
        dns = FakeDns({**zone, **leaves, "example.com": spf("include:1.example.com -all")})
        found = await check_spf(dns, ip="192.0.2.1", helo="x.example", sender=SENDER)
        assert found.result is SpfResult.PERMERROR
        assert found.reason == "more than 10 terms that need the DNS"
        assert len(dns.asked) == 11

    async def test_the_most_look_ups_that_a_record_can_cause(self) -> None:
        hosts = {f"h{n}.example.com": {"A": ["198.51.100.1"]} for n in range(10)}
        zone = {f"z{n}.example.com": {"MX": [f"10 {h}" for h in hosts]} for n in range(20)}
        dns = FakeDns(
            {
                **hosts,
                **zone,
                "example.com": spf(" ".join(f"mx:z{n}.example.com" for n in range(20))),
            }
        )
        found = await check_spf(dns, ip="192.0.2.1", helo="x.example", sender=SENDER)
        assert found.result is SpfResult.PERMERROR
        assert len(dns.asked) == 1 + 10 * 11

    async def test_a_thousand_names_of_a_client(self) -> None:
        names = [f"h{n}.example.org" for n in range(1000)]
        dns = FakeDns(
            {
                "example.com": spf("ptr ptr:example.net exists:%{p}.example.com -all"),
                "1.2.0.192.in-addr.arpa": {"PTR": names},
            }
        )
        found = await check_spf(dns, ip="192.0.2.1", helo="x.example", sender=SENDER)
        assert found.result is SpfResult.FAIL
        assert len([1 for _, rdtype in dns.asked if rdtype == "PTR"]) == 1
        assert len(dns.asked) == 1 + 1 + 10 + 1

    async def test_macros_multiply_nothing(self) -> None:
        spec = "%{s}" * 120
        zone = {"example.com": spf(" ".join(f"exists:{spec}.example.com" for _ in range(30)))}
        sender = Address("l" * 64, "example.com")
        found = await check(zone, sender=sender, limits=SpfLimits(voids=10))
        assert found.result is SpfResult.PERMERROR

    async def test_a_thousand_spf_records(self) -> None:
        found = await check({"example.com": {"TXT": ["v=spf1 +all"] * 1000}})
        assert found.reason == "example.com has 1000 SPF records, not one"

    async def test_nonsense_where_addresses_and_hosts_belong(self) -> None:
        found = await check(
            {
                "example.com": {
                    **spf("a mx ?all"),
                    "A": ["not an address", "", "::1", "999.1.1.1"],
                    "MX": ["", "10", "10 ", "x y z", "0 ."],
                }
            }
        )
        assert found.result is SpfResult.NEUTRAL


@settings(max_examples=60)
@given(
    text=st.text(max_size=60) | st.text("aimxp46:/.=%{}d0189-~? lncuderts", max_size=60),
    local_part=st.text(max_size=20),
    helo=st.text(max_size=40),
)
async def test_no_zone_and_no_client_makes_it_raise(text: str, local_part: str, helo: str) -> None:
    records = {"example.com": {**spf(text), "A": [text], "MX": [f"10 {text}"], "PTR": [text]}}
    found = await check(records, sender=Address(local_part, "example.com"), helo=helo, explain=True)
    assert found.reason
    helo_check = await check(records, sender=None, helo=helo, ip="2001:db8::1")
    assert isinstance(helo_check.result, SpfResult)

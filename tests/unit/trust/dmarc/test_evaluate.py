import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.message.header import Header
from postroad.model import Address
from postroad.trust.dmarc import (
    Author,
    AuthorProblem,
    Discovery,
    DmarcCheck,
    DmarcResult,
    DmarcSettings,
    Identifier,
    Mechanism,
    Policy,
    Proof,
    author_of,
    evaluate,
    identifier_of_spf,
)
from postroad.trust.spf import Identity, check_spf
from tests.fake_dns import FakeDns


def zone(**records: str) -> dict[str, dict[str, list[str]]]:
    return {
        f"_dmarc.{name.replace('_', '.')}": {"TXT": [f"v=DMARC1; {tags}"]}
        for name, tags in records.items()
    }


def spf(domain: str, proof: Proof = Proof.PASS) -> Identifier:
    return Identifier(Mechanism.SPF, domain, proof)


def dkim(domain: str, proof: Proof = Proof.PASS) -> Identifier:
    return Identifier(Mechanism.DKIM, domain, proof, "s=k1")


async def judge(
    records: dict[str, dict[str, list[str]]],
    *identifiers: Identifier,
    author: str = "example.com",
    settings: DmarcSettings | None = None,
    sample: float = 0.0,
) -> DmarcCheck:
    return await evaluate(
        FakeDns(records),
        Author(tuple(author.split())),
        identifiers,
        settings=settings or DmarcSettings(),
        sample=sample,
    )


REJECT = zone(example_com="p=reject")


@pytest.mark.parametrize(
    ("tags", "identifier", "author", "passes"),
    [
        ("p=reject", spf("example.com"), "example.com", True),
        ("p=reject", dkim("Example.COM."), "example.com", True),
        ("p=reject", dkim("mail.example.com"), "example.com", True),
        ("p=reject", dkim("example.com"), "a.b.example.com", True),
        ("p=reject", dkim("x.example.com"), "y.example.com", True),
        ("p=reject", dkim("notexample.com"), "example.com", False),
        ("p=reject", dkim("com"), "example.com", False),
        ("p=reject", dkim("example.com.evil.example"), "example.com", False),
        ("p=reject", dkim(""), "example.com", False),
        ("p=reject; adkim=s", dkim("mail.example.com"), "example.com", False),
        ("p=reject; adkim=s", spf("mail.example.com"), "example.com", True),
        ("p=reject; aspf=s", spf("mail.example.com"), "example.com", False),
        ("p=reject", spf("example.com", Proof.FAIL), "example.com", False),
    ],
)
async def test_alignment(tags: str, identifier: Identifier, author: str, passes: bool) -> None:
    found = await judge(zone(example_com=tags), identifier, author=author)
    assert found.result is (DmarcResult.PASS if passes else DmarcResult.FAIL)
    assert found.policy is (Policy.NONE if passes else Policy.REJECT)
    assert found.domains[0].aligned == ((identifier,) if passes else ())


async def test_a_department_of_its_own_is_not_aligned() -> None:
    records = zone(example_com="p=reject", dept_example_com="p=reject; psd=n")
    found = await judge(records, dkim("x.dept.example.com"), author="example.com")
    assert found.result is DmarcResult.FAIL
    found = await judge(records, dkim("example.com"), author="x.dept.example.com")
    assert found.result is DmarcResult.FAIL
    found = await judge(records, dkim("y.dept.example.com"), author="x.dept.example.com")
    assert found.result is DmarcResult.PASS


async def test_customers_of_a_public_suffix_do_not_speak_for_each_other() -> None:
    records = zone(co_example="p=reject; psd=y")
    found = await judge(records, dkim("b.co.example"), author="a.co.example")
    assert (found.result, found.policy) == (DmarcResult.FAIL, Policy.REJECT)
    found = await judge(records, dkim("x.a.co.example"), author="a.co.example")
    assert found.result is DmarcResult.PASS


async def test_by_the_suffix_list() -> None:
    settings = DmarcSettings(discovery=Discovery.SUFFIX_LIST)
    records = zone(example_co_uk="p=reject; sp=quarantine")
    found = await judge(
        records, dkim("y.example.co.uk"), author="x.example.co.uk", settings=settings
    )
    assert found.result is DmarcResult.PASS
    found = await judge(records, dkim("other.co.uk"), author="x.example.co.uk", settings=settings)
    assert (found.result, found.policy) == (DmarcResult.FAIL, Policy.QUARANTINE)


@pytest.mark.parametrize(
    ("tags", "author", "tag", "policy"),
    [
        ("p=reject; sp=quarantine; np=none", "example.com", "p", Policy.REJECT),
        ("p=reject; sp=quarantine; np=none", "real.example.com", "sp", Policy.QUARANTINE),
        ("p=none; sp=quarantine; np=reject", "gone.example.com", "np", Policy.REJECT),
        ("p=none; sp=quarantine", "gone.example.com", "sp", Policy.QUARANTINE),
        ("p=quarantine; np=reject", "real.example.com", "p", Policy.QUARANTINE),
        ("p=quarantine; np=reject", "above.example.com", "p", Policy.QUARANTINE),
    ],
)
async def test_policies_of_subdomains(tags: str, author: str, tag: str, policy: Policy) -> None:
    records = {
        **zone(example_com=tags),
        "real.example.com": {"MX": ["10 mx.example.net"]},
        "below.above.example.com": {"A": ["192.0.2.1"]},
    }
    check = (await judge(records, author=author)).domains[0]
    assert (check.tag, check.published, check.policy) == (tag, policy, policy)
    assert check.policy_domain == "example.com"
    assert check.reasons == (
        "neither SPF nor DKIM proves any domain",
        f"example.com asks for {policy.value} ({tag}={policy.value})",
    )


@pytest.mark.parametrize(
    ("tags", "sample", "policy", "lowered_by"),
    [
        ("p=reject; t=y", 0.0, Policy.QUARANTINE, "t=y"),
        ("p=quarantine; t=y", 0.0, Policy.NONE, "t=y"),
        ("p=none; t=y", 0.0, Policy.NONE, ""),
        ("p=reject; pct=20", 0.19, Policy.REJECT, ""),
        ("p=reject; pct=20", 0.2, Policy.QUARANTINE, "pct=20"),
        ("p=quarantine; pct=0", 0.0, Policy.NONE, "pct=0"),
        ("p=reject", 0.999, Policy.REJECT, ""),
    ],
)
async def test_lowered(tags: str, sample: float, policy: Policy, lowered_by: str) -> None:
    found = await judge(zone(example_com=tags), sample=sample)
    assert (found.policy, found.domains[0].lowered_by) == (policy, lowered_by)
    unlowered = DmarcSettings(honour_pct=False)
    if "pct" in tags:
        found = await judge(zone(example_com=tags), sample=sample, settings=unlowered)
        assert found.policy is found.domains[0].published


async def test_without_a_record_there_is_no_result() -> None:
    found = await judge({}, spf("example.com"))
    assert (found.result, found.policy) == (DmarcResult.NONE, Policy.NONE)
    assert found.reasons == ("example.com has no DMARC policy record",)
    found = await judge(zone(example_com="p=nonsense"), spf("example.com"))
    assert found.result is DmarcResult.NONE
    assert "asks for nothing: p=nonsense" in found.reasons[0]


class TestDnsThatFails:
    async def failing(
        self, names: list[tuple[str, str]], *identifiers: Identifier, tags: str = "p=reject"
    ) -> DmarcCheck:
        dns = FakeDns(zone(example_com=tags), names)
        return await evaluate(dns, Author(("a.example.com",)), identifiers)

    async def test_for_the_policy(self) -> None:
        found = await self.failing([("_dmarc.a.example.com", "TXT")], spf("a.example.com"))
        assert (found.result, found.policy) == (DmarcResult.TEMPERROR, Policy.NONE)

    async def test_for_alignment(self) -> None:
        names = [("_dmarc.b.example.com", "TXT")]
        found = await self.failing(names, dkim("b.example.com"))
        assert found.result is DmarcResult.TEMPERROR
        found = await self.failing(names, dkim("b.example.com"), spf("example.com"))
        assert found.result is DmarcResult.PASS

    async def test_for_spf_or_dkim(self) -> None:
        found = await self.failing([], dkim("example.com", Proof.UNKNOWN))
        assert found.result is DmarcResult.TEMPERROR
        found = await self.failing([], dkim("stranger.example", Proof.UNKNOWN))
        assert found.result is DmarcResult.FAIL

    async def test_for_the_existence_of_the_domain(self) -> None:
        names = [("a.example.com", "A")]
        found = await self.failing(names, tags="p=reject; np=none")
        assert (found.result, found.policy) == (DmarcResult.TEMPERROR, Policy.NONE)


class TestHostileAuthors:
    """ATTACKS 10 and 11: no From that can be read in two ways passes."""

    @pytest.mark.parametrize(
        ("head", "problem"),
        [
            (b"From: a@example.com\r\nFrom: b@example.com\r\n\r\n", AuthorProblem.REPEATED),
            (b"From: b@evil.example\r\nFrom: a@example.com\r\n\r\n", AuthorProblem.REPEATED),
            (b"From: <a@example.com> b@bank.example\r\n\r\n", AuthorProblem.UNREADABLE),
            (b"From: a@example.com\0\r\n\r\n", AuthorProblem.UNREADABLE),
            (b"From: nobody:;\r\n\r\n", AuthorProblem.NO_ADDRESS),
            (b"To: a@example.com\r\n\r\n", AuthorProblem.MISSING),
        ],
    )
    async def test_malformed_never_passes(self, head: bytes, problem: AuthorProblem) -> None:
        author = author_of(Header.parse(head))
        assert author.problem is problem
        proven = [spf("example.com"), dkim("example.com"), dkim("evil.example")]
        records = zone(example_com="p=none", evil_example="p=none")
        found = await evaluate(FakeDns(records), author, proven)
        assert (found.result, found.policy) == (DmarcResult.PERMERROR, Policy.REJECT)
        assert all(each.result is DmarcResult.PERMERROR for each in found.domains)
        assert found.reasons[0].startswith(problem.value)

    async def test_local_policy_may_be_milder_than_malformed_but_not_than_the_owner(self) -> None:
        author = Author(("example.com",), AuthorProblem.REPEATED)
        mild = DmarcSettings(malformed=Policy.QUARANTINE)
        found = await evaluate(FakeDns({}), author, [], settings=mild)
        assert found.policy is Policy.QUARANTINE
        found = await evaluate(FakeDns(REJECT), author, [spf("example.com")], settings=mild)
        assert found.policy is Policy.REJECT

    @pytest.mark.parametrize(
        "value",
        [
            "evil.example example.com",
            "example.com evil.example",
        ],
    )
    async def test_each_of_several_domains_counts(self, value: str) -> None:
        records = {**REJECT, **zone(evil_example="p=none")}
        found = await judge(records, dkim("evil.example"), author=value)
        assert (found.result, found.policy) == (DmarcResult.FAIL, Policy.REJECT)
        assert {each.domain: each.result for each in found.domains} == {
            "evil.example": DmarcResult.PASS,
            "example.com": DmarcResult.FAIL,
        }
        found = await judge(records, dkim("evil.example"), dkim("example.com"), author=value)
        assert found.result is DmarcResult.PASS

    async def test_a_domain_without_policy_beside_one_that_passes_is_no_pass(self) -> None:
        found = await judge(REJECT, dkim("example.com"), author="example.com evil.example")
        assert found.result is DmarcResult.NONE

    async def test_an_address_literal_has_no_policy(self) -> None:
        author = author_of(Header.parse(b"From: a@[192.0.2.1]\r\n\r\n"))
        found = await evaluate(FakeDns({}), author, [])
        assert found.result is DmarcResult.NONE
        assert found.reasons

    async def test_signatures_of_strangers_cost_no_look_ups(self) -> None:
        dns = FakeDns(REJECT)
        strangers = [dkim(f"a.b.c.d.e.f.s{n}.com") for n in range(1000)]
        found = await evaluate(dns, Author(("x.example.com",)), strangers)
        assert found.result is DmarcResult.FAIL
        assert len(dns.asked) == 3
        below = [dkim(f"a.b.c.d.e.f.s{n}.example.com") for n in range(1000)]
        await evaluate(dns, Author(("x.example.com",)), below)
        assert len(dns.asked) < 3 + 3 + 8 * 20


async def test_from_an_spf_check() -> None:
    dns = FakeDns({"example.com": {"TXT": ["v=spf1 ip4:192.0.2.1 -all"]}})
    for ip, helo, proof in (
        ("192.0.2.1", "mx.example.com", Proof.PASS),
        ("192.0.2.2", "mx.example.com", Proof.FAIL),
    ):
        check = await check_spf(dns, ip=ip, helo=helo, sender=Address("u", "example.com"))
        assert identifier_of_spf(check) == spf("example.com", proof)
    helo_only = await check_spf(
        dns, ip="192.0.2.1", helo="example.com", sender=None, identity=Identity.HELO
    )
    assert identifier_of_spf(helo_only).proof is Proof.FAIL
    failing = FakeDns({}, failing=[("example.com", "TXT")])
    check = await check_spf(failing, ip="192.0.2.1", helo="x", sender=Address("u", "example.com"))
    assert identifier_of_spf(check).proof is Proof.UNKNOWN


async def test_the_words() -> None:
    found = await judge(REJECT, spf("bounce.example.net"), dkim("example.com", Proof.FAIL))
    assert found.reasons == (
        "spf for bounce.example.net is not aligned with example.com",
        "dkim for example.com (s=k1) did not pass",
        "example.com asks for reject (p=reject)",
    )


@given(
    record=st.text(max_size=60) | st.text("vpsnrejctadkim=;:, psdy", max_size=60),
    domain=st.text(max_size=30),
    value=st.text(max_size=60),
)
async def test_nothing_makes_it_raise(record: str, domain: str, value: str) -> None:
    author = author_of(Header.parse(b"From: " + value.encode("utf-8", "replace") + b"\r\n\r\n"))
    records = {"_dmarc.example.com": {"TXT": [f"v=DMARC1;{record}", domain]}}
    for each in (author, Author(("a.example.com",))):
        found = await evaluate(FakeDns(records), each, [dkim(domain), spf("example.com")])
        assert found.reasons
        assert found.policy is Policy.NONE or found.result in (
            DmarcResult.FAIL,
            DmarcResult.PERMERROR,
        )


async def test_what_passed_is_not_lost_behind_very_many_that_did_not() -> None:
    failed = [dkim(f"d{number}.example", Proof.FAIL) for number in range(50)]
    found = await judge(REJECT, *failed, dkim("example.com"))
    assert found.result is DmarcResult.PASS
    unknown = [dkim("example.com", Proof.UNKNOWN)]
    assert (await judge(REJECT, *failed, *unknown)).result is DmarcResult.TEMPERROR

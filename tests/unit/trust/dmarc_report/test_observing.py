"""From what was found of a message to what its report says."""

from typing import Any

from postroad.message.header import Header
from postroad.model import Address
from postroad.trust.dkim import Checked, Result
from postroad.trust.dmarc import (
    Discovery,
    DmarcCheck,
    Identifier,
    Mechanism,
    Policy,
    Proof,
    author_of,
    evaluate,
    identifier_of_spf,
)
from postroad.trust.dmarc_report import DkimAuth, Reason, SpfAuth, observe
from postroad.trust.spf import SpfCheck, check_spf
from tests.fake_dns import FakeDns

DNS = FakeDns(
    {
        "there.test": {"TXT": ["v=spf1 ip4:192.0.2.1 -all"]},
        "_dmarc.there.test": {"TXT": ["v=DMARC1; p=reject; rua=mailto:a@there.test"]},
        "_dmarc.silent.test": {"TXT": ["v=DMARC1; p=reject"]},
        "_dmarc.trying.test": {"TXT": ["v=DMARC1; p=reject; t=y; rua=mailto:a@trying.test"]},
    }
)
SIGNED = Checked(Result.PASS, "fine", "there.test", "s1")


async def found(author: str, ip: str, signed: bool = False) -> tuple[DmarcCheck, SpfCheck]:
    spf = await check_spf(DNS, ip=ip, helo="mx.there.test", sender=Address("jo", "there.test"))
    header = Header.parse(f"From: jo@{author}\r\n\r\n".encode())
    identifiers = [identifier_of_spf(spf)]
    if signed:
        identifiers.append(Identifier(Mechanism.DKIM, "there.test", Proof.PASS, "s1"))
    return await evaluate(DNS, author_of(header), identifiers), spf


async def test_what_passed() -> None:
    check, spf = await found("there.test", "192.0.2.1", signed=True)
    (seen,) = observe(
        check,
        spf,
        [SIGNED, Checked(Result.NEUTRAL, "unreadable")],
        source_ip="192.0.2.1",
        envelope_from="there.test",
        disposition=Policy.NONE,
    )
    assert (seen.dkim_aligned, seen.spf_aligned, seen.disposition) == (True, True, "none")
    assert seen.policy_domain == seen.header_from == "there.test"
    assert seen.dkim_auth == (DkimAuth("there.test", "s1", "pass"),)
    assert seen.spf_auth == (SpfAuth("there.test", "mfrom", "pass"),)
    assert seen.reasons == ()
    assert seen.discovery is Discovery.TREE_WALK
    (by_list,) = observe(
        check,
        spf,
        [],
        source_ip="192.0.2.1",
        envelope_from="",
        disposition=Policy.NONE,
        discovery=Discovery.SUFFIX_LIST,
    )
    assert by_list.discovery is Discovery.SUFFIX_LIST


async def test_what_failed_and_was_let_be() -> None:
    check, spf = await found("there.test", "192.0.2.9")
    options: dict[str, Any] = {"source_ip": "192.0.2.9", "envelope_from": "there.test"}
    (let_be,) = observe(
        check, spf, [], disposition=Policy.NONE, override="only told here", **options
    )
    assert let_be.reasons == (Reason("local_policy", "only told here"),)
    (refused,) = observe(check, spf, [], disposition=Policy.REJECT, **options)
    assert (refused.reasons, refused.disposition) == ((), "reject")
    assert (refused.dkim_aligned, refused.spf_aligned) == (False, False)


async def test_a_policy_in_test_mode() -> None:
    check, _ = await found("trying.test", "192.0.2.9")
    (seen,) = observe(
        check,
        None,
        [],
        source_ip="192.0.2.9",
        envelope_from="",
        disposition=check.policy,
    )
    assert seen.reasons == (Reason("policy_test_mode", "t=y"),)
    assert seen.spf_auth == ()


async def test_who_wants_no_reports() -> None:
    for author in ("silent.test", "nothing.test"):
        check, spf = await found(author, "192.0.2.9")
        assert (
            observe(check, spf, [], source_ip="x", envelope_from="", disposition=Policy.REJECT)
            == []
        )

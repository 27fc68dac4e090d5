"""Chains against TLSA records, beyond OpenSSL's suite (tests/conformance/test_dane.py)."""

import hashlib

import pytest

from postroad.trust.dane import DaneProblem, Tlsa, verify_dane
from tests.unit.trust.dane.chains import CLIENT_ONLY, NOW, Signed, certificate

ROOT = certificate("root", ca=True)
MIDDLE = certificate("middle", ROOT, ca=True)
LEAF = certificate("mx.test", MIDDLE, names=("mx.test",))
NAMES = ("mx.test",)


def tells(usage: int, signed: Signed, selector: int = 1) -> Tlsa:
    octets = signed.spki if selector else signed.der
    return Tlsa(usage, selector, 1, hashlib.sha256(octets).digest())


def chain(*signed: Signed) -> list[bytes]:
    return [each.der for each in signed]


def judge(
    record: Tlsa, *signed: Signed, names: tuple[str, ...] = NAMES, at: float = NOW
) -> tuple[DaneProblem | None, int]:
    verdict = verify_dane([record], chain(*signed), names, at)
    assert (verdict.problem is None) or verdict.reason
    return verdict.problem, verdict.depth


def test_the_leaf_itself() -> None:
    assert judge(tells(3, LEAF), LEAF) == (None, 0)
    assert judge(tells(3, LEAF), LEAF, names=("other.test",), at=NOW + 10**9) == (None, 0)
    assert judge(tells(3, MIDDLE), LEAF, MIDDLE) == (DaneProblem.NO_MATCH, -1)


def test_an_authority() -> None:
    assert judge(tells(2, MIDDLE), LEAF, MIDDLE) == (None, 1)
    assert judge(tells(2, ROOT), LEAF, MIDDLE, ROOT) == (None, 2)
    assert judge(tells(2, ROOT), LEAF, ROOT, MIDDLE) == (None, 2)  # in any order
    assert judge(tells(2, MIDDLE), LEAF, MIDDLE, names=("other.test",)) == (DaneProblem.NAME, 1)
    assert judge(tells(2, MIDDLE), LEAF, MIDDLE, at=NOW + 40 * 86_400) == (DaneProblem.EXPIRED, 1)


def test_an_authority_that_is_only_shown_vouches_for_nothing() -> None:
    """The certificate that fits is in the chain, but did not sign what is below it."""
    other = certificate("middle", ca=True)
    assert judge(tells(2, other), LEAF, other) == (DaneProblem.NO_MATCH, -1)
    assert judge(tells(2, ROOT), LEAF, ROOT) == (DaneProblem.NO_MATCH, -1)


def test_a_leaf_is_no_authority() -> None:
    assert judge(tells(2, LEAF), LEAF, MIDDLE) == (DaneProblem.NO_MATCH, -1)
    own = certificate("mx.test", names=("mx.test",))
    assert judge(tells(2, own), own) == (None, 0)
    signed_by_a_leaf = certificate("mx.test", LEAF, names=("mx.test",))
    assert judge(tells(2, LEAF), signed_by_a_leaf, LEAF) == (DaneProblem.CHAIN, 1)


@pytest.mark.parametrize(
    "middle",
    [
        certificate("ca", ROOT, ca=True, permitted=("other.test",)),
        certificate("ca", ROOT, ca=True, signs=False),
        certificate("ca", ROOT, ca=True, critical=True),
    ],
    ids=["constrained", "not signing", "critical"],
)
def test_chains_that_do_not_hold(middle: Signed) -> None:
    leaf = certificate("mx.test", middle, names=("mx.test",))
    assert judge(tells(2, ROOT), leaf, middle, ROOT) == (DaneProblem.CHAIN, 2)


def test_a_path_that_is_too_long_for_its_authority() -> None:
    short = certificate("root", ca=True, path_length=0)
    middle = certificate("middle", short, ca=True)
    leaf = certificate("mx.test", middle, names=("mx.test",))
    assert judge(tells(2, short), leaf, middle, short) == (DaneProblem.CHAIN, 2)


def test_a_leaf_that_is_not_for_servers() -> None:
    leaf = certificate("mx.test", MIDDLE, names=("mx.test",), usages=CLIENT_ONLY)
    assert judge(tells(2, MIDDLE), leaf, MIDDLE) == (DaneProblem.CHAIN, 1)


def test_an_authority_from_the_dns() -> None:
    assert judge(Tlsa(2, 0, 0, MIDDLE.der), LEAF) == (None, 1)
    assert judge(Tlsa(2, 1, 0, MIDDLE.spki), LEAF) == (None, 0)
    assert judge(Tlsa(2, 1, 0, ROOT.spki), LEAF) == (DaneProblem.NO_MATCH, -1)


def test_one_record_of_several_is_enough() -> None:
    records = [tells(3, ROOT), tells(2, ROOT), tells(3, LEAF)]
    verdict = verify_dane(records, chain(LEAF), NAMES, NOW)
    assert (verdict.record, verdict.depth) == (records[2], 0)


def test_what_a_stranger_may_send() -> None:
    assert verify_dane([tells(3, LEAF)], [], NAMES, NOW).problem is DaneProblem.CHAIN
    assert verify_dane([tells(3, LEAF)], [b"nonsense"], NAMES, NOW).problem is DaneProblem.CHAIN
    # Authorities of one name with one key each: every one would have to be tried at every step.
    crowd = [certificate("middle", ca=True) for _ in range(30)]
    verdict = verify_dane([tells(2, ROOT)], chain(LEAF, *crowd), NAMES, NOW)
    assert verdict.problem is DaneProblem.NO_MATCH

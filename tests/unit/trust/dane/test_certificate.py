"""What certificates say of themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.trust.dane.certificate import Certificate, CertificateInvalid
from tests.unit.trust.dane.chains import CLIENT_ONLY, SERVER, Signed, certificate

ROOT = certificate("root", ca=True)


def read(signed: Signed) -> Certificate:
    return Certificate(signed.der)


def test_the_key_is_taken_as_it_stands_there() -> None:
    assert read(ROOT).key == ROOT.spki


@pytest.mark.parametrize(
    ("names", "wanted", "expected"),
    [
        (("mx.test",), "mx.test", True),
        (("MX.Test",), "mx.test", True),
        (("*.test.example",), "mx.test.example", True),
        (("*.test.example",), "test.example", False),
        (("*.test.example",), "a.mx.test.example", False),
        (("*.example",), "mx.example", False),  # a wildcard for a whole top level domain
        (("other.test",), "mx.test", False),
        ((), "mx.test", True),  # the common name stands in
    ],
)
def test_names(names: tuple[str, ...], wanted: str, expected: bool) -> None:
    assert read(certificate("mx.test", names=names)).is_for([wanted]) is expected


def test_the_common_name_counts_only_where_there_is_no_other() -> None:
    assert not read(certificate("mx.test", names=("other.test",))).is_for(["mx.test"])


def test_who_may_sign() -> None:
    assert read(ROOT).may_sign(5) == ""
    assert "authority" in read(certificate("leaf", ROOT)).may_sign(0)
    assert "longer" in read(certificate("ca", ca=True, path_length=0)).may_sign(1)
    assert "signing" in read(certificate("ca", ca=True, signs=False)).may_sign(0)
    assert "critical" in read(certificate("ca", ca=True, critical=True)).may_sign(0)


def test_who_may_serve() -> None:
    assert read(certificate("mx")).may_serve() == ""
    assert read(certificate("mx", usages=SERVER)).may_serve() == ""
    assert "TLS servers" in read(certificate("mx", usages=CLIENT_ONLY)).may_serve()


def test_name_constraints() -> None:
    narrow = read(certificate("ca", ca=True, permitted=("good.test",)))
    assert narrow.allows_names(["mx.good.test"])
    assert not narrow.allows_names(["mx.good.test", "mx.bad.test"])
    assert not narrow.allows_names(["notgood.test"])


def test_signatures() -> None:
    leaf = read(certificate("mx", ROOT))
    assert leaf.is_signed_by(read(ROOT))
    assert not leaf.is_signed_by(read(certificate("root", ca=True)))
    assert leaf.is_signed_by_key(ROOT.key.public_key())
    assert not leaf.is_signed_by_key(certificate("x").key.public_key())


@given(st.integers(0, len(ROOT.der) - 1), st.integers(0, 255), st.booleans())
def test_a_broken_certificate_raises_nothing_else(at: int, octet: int, cut: bool) -> None:
    der = ROOT.der[:at] if cut else ROOT.der[:at] + bytes([octet]) + ROOT.der[at + 1 :]
    try:
        found = Certificate(der)
    except CertificateInvalid:
        return
    found.may_sign(0)
    assert found.is_for(["root"]) in (True, False)


def test_a_version_that_nobody_knows_cannot_be_read() -> None:
    version = b"\xa0\x03\x02\x01"
    der = ROOT.der.replace(version + b"\x02", version + b"\x07", 1)
    assert der != ROOT.der
    with pytest.raises(CertificateInvalid, match="cannot be read"):
        Certificate(der)

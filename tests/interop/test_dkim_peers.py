"""Signatures of ours before OpenDKIM and dkimpy, and theirs before us, on real mail."""

import re
from collections.abc import Callable
from pathlib import Path

import dkim as dkimpy
import pytest

from postroad.trust.dkim import Form, Result, SigningKey, SignSettings, sign, verify
from tests.conformance.report import record
from tests.interop.opendkim import signed, verified
from tests.interop.real_mail import real_mail
from tests.unit.trust.zone import NOW, ed25519_key, rsa_key, zone

Require = Callable[[str], str]

KEYS = (rsa_key(), ed25519_key())
FORMS = [(header, body) for header in Form for body in Form]
LONG_AGO = 1_700_000_000.0  # OpenDKIM goes by the clock of this machine
NOT_YET = 4e9


def authored(step: int = 1) -> list[bytes]:
    """Real messages; without a From there is nothing to sign."""
    found = [
        each
        for each in real_mail()
        if re.search(rb"(?im)^from[ \t]*:", each.partition(b"\r\n\r\n")[0])
    ]
    return found[::step]


def test_opendkim_verifies_ours_on_all_real_mail(tmp_path: Path, require: Require) -> None:
    require("opendkim")
    mail = authored()
    fields = [sign(each, KEYS[:1], LONG_AGO) for each in mail]
    good = verified(tmp_path, KEYS[0], [a + b for a, b in zip(fields, mail, strict=True)])
    missed = sorted(set(range(len(mail))) - good)
    record("dkim: opendkim verifies ours", passed=len(good), total=len(mail), differences=[])
    assert missed == []
    assert len(mail) == len(real_mail())
    changed = [field + each + b"x\r\n" for field, each in zip(fields[:20], mail[:20], strict=True)]
    assert verified(tmp_path, KEYS[0], changed) == set()


@pytest.mark.parametrize("forms", ["relaxed/relaxed", "relaxed/simple", "simple/simple"])
async def test_we_verify_those_of_opendkim(tmp_path: Path, require: Require, forms: str) -> None:
    require("opendkim")
    mail = authored(1 if forms == "relaxed/simple" else 10)
    good = 0
    for message in signed(tmp_path, KEYS[0], mail, forms):
        (checked, *_) = await verify(message, zone(), NOT_YET)
        good += checked.result is Result.PASS
        assert checked.result is Result.PASS, checked.reason
    record(f"dkim: opendkim's {forms} by us", passed=good, total=len(mail), differences=[])


def answer(name: bytes, timeout: int = 5) -> bytes:
    return ANSWERS[name]


ANSWERS = {f"{key.name}.".encode(): key.record().encode() for key in KEYS}


async def test_dkimpy_verifies_ours_on_all_real_mail() -> None:
    mail = authored()
    good = 0
    for message in mail:
        fields = sign(message, KEYS, NOW)
        theirs = dkimpy.DKIM(fields + message)
        good += all(theirs.verify(number, dnsfunc=answer) for number in range(len(KEYS)))
    record("dkim: dkimpy verifies ours", passed=good, total=len(mail), differences=[])
    assert good == len(mail)


@pytest.mark.parametrize(("header", "body"), FORMS)
def test_dkimpy_verifies_ours_in_all_forms(header: Form, body: Form) -> None:
    for message in authored(60):
        fields = sign(message, KEYS, NOW, SignSettings(header, body))
        for number in range(len(KEYS)):
            assert dkimpy.DKIM(fields + message).verify(number, dnsfunc=answer)


@pytest.mark.parametrize(("header", "body"), FORMS)
@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.algorithm.value)
async def test_we_verify_those_of_dkimpy(header: Form, body: Form, key: SigningKey) -> None:
    secret = key.pem().encode() if key is KEYS[0] else raw_secret(key)
    for message in authored(60):
        field = dkimpy.sign(
            message,
            key.selector.encode(),
            key.domain.encode(),
            secret,
            canonicalize=(header.value.encode(), body.value.encode()),
            signature_algorithm=key.algorithm.value.encode(),
        )
        (checked, *_) = await verify(field + message, zone(), NOT_YET)
        assert checked.result is Result.PASS, checked


def raw_secret(key: SigningKey) -> bytes:
    """What dkimpy wants of an Ed25519 key: its 32 octets in base64."""
    from binascii import b2a_base64

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    private = load_pem_private_key(key.pem().encode(), None)
    assert isinstance(private, Ed25519PrivateKey)
    return b2a_base64(private.private_bytes_raw(), newline=False)

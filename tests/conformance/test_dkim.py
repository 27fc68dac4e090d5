"""The DKIM files of dkimpy: signed messages, messages to sign, and odd key records."""

from pathlib import Path

import dkim as dkimpy
import pytest

from postroad.trust.dkim import Result, sign, verify
from postroad.trust.dkim.record import parse_key
from postroad.trust.dkim.result import Refused
from tests.conformance.report import record
from tests.fake_dns import FakeDns
from tests.interop.real_mail import crlf
from tests.suites import suite
from tests.unit.trust.zone import NOW, ed25519_key, rsa_key, zone

# Keys of signed messages that are not in the suite: RFC 8463 appendix A.2, and what gmail.com
# published in 2013.
BRISBANE = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
GMAIL = (
    "k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA1Kd87/UeJjenpabgbFwh+eBCsSTrqmwIYYvywlbhbqoo"
    "2DymndFkbjOVIPIldNs/m40KF+yzMn1skyoxcTUGCQs8g3FgD2Ap3ZB5DekAo5wMmk4wimDO+U8QzI3SD07y2+07wlNWwIt8svnx"
    "gdxGkVbbhzY8i+RQ9DpSVpPbF7ykQxtKXkv/ahW3KjViiAH+ghvvIhkx4xYSIc9oSwVmAl5OctMEeWUwg8Istjqz8BZeTWbf41fb"
    "Nhte7Y+YqZOwq1Sd0DbvYAD9NOZK9vlfuac0598HY+vtSBczUiKERHv1yRbcaQtZFh5wtiRrN04BLUTD21MycBX5jYchHjPY/wID"
    "AQAB"
)

# What each signature of a message is: result and reason.
VERIFIES = (Result.PASS, "the signature verifies")
SIGNED = {
    "ed25519test2.msg": [VERIFIES],
    "rfc6376.signed.msg": [VERIFIES, VERIFIES],
    "rfc6376.signed.rsa.msg": [VERIFIES],
    # The tag x= was put in the place of t= after signing.
    "rfc6376.signed.no_t.msg": [
        (Result.FAIL, "the header was changed: the signature does not verify")
    ],
    "test2.message": [VERIFIES],
    "test.message.baddomain": [(Result.PERMERROR, "d= is no domain name")],
    # The key is no longer published; that the key is asked for says that the body hash fits.
    "message.mbox": [(Result.PERMERROR, "there is no key 2007-00._domainkey.kitterman.com")],
}
# Messages to sign; what we sign, dkimpy verifies, and we do.
UNSIGNED = (
    "ed25519test.msg",
    "message.mbox",
    "rfc6376.msg",
    "rfc6376.w1258.msg",
    "test.message",
    "test_extra.message",
    "test_nofrom.message",
)
KEYS: dict[str, str | int] = {
    "1024_testkey_wo_markers.pub.rsa.txt": 1024,
    "1024_testkey_wo_markers.pub.txt": 1024,
    "2048_testkey_PKCS8.key.pub.txt": 2048,
    "2048_testkey_wo_markers.pub.rsa.txt": 2048,
    "2048_testkey_wo_markers.pub.txt": 2048,
    "badk.txt": "its k= is no kind of key that we know",
    "badversion.txt": "its v= is not DKIM1 or not first",
    "ed25519test.dns": 256,
    "eximtest.dns": 256,
    "test.txt": 1024,
    "test2.txt": 1024,
    "test_bad.txt": "its p= is no public key",
    "test_tlsrpt.txt": "it is not for mail",
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_dkim() -> None:
    folder = suite("dkim")
    files = {path.name for path in folder.iterdir()} - {"LICENSE"}
    assert files == SIGNED.keys() | KEYS.keys() | set(UNSIGNED)
    wrong: dict[str, str] = {}
    for name, expected in SIGNED.items():
        found = await verify(crlf((folder / name).read_bytes()), published(folder), NOW)
        if [(each.result, each.reason) for each in found] != expected:
            wrong[name] = f"WRONG: {found}"
    for name in UNSIGNED:
        if problem := await signed_by_us(crlf((folder / name).read_bytes())):
            wrong[name] = f"WRONG: {problem}"
    for name, wanted in KEYS.items():
        got = key(folder / name)
        if got != wanted:
            wrong[name] = f"WRONG: {got}"
    record(
        "dkim",
        passed=len(files) - len(wrong),
        total=len(files),
        differences=[{"case": name, "reason": reason} for name, reason in wrong.items()],
    )
    assert len(files) == 26
    assert wrong == {}


def published(folder: Path) -> FakeDns:
    return zone(
        {
            "test._domainkey.football.example.com": text(folder / "test.txt"),
            "brisbane._domainkey.football.example.com": BRISBANE,
            "sed._domainkey.test.ex": text(folder / "eximtest.dns"),
            "20120113._domainkey.gmail.com": GMAIL,
        }
    )


def text(path: Path) -> str:
    return path.read_text().strip()


def key(path: Path) -> str | int:
    try:
        return parse_key(text(path)).bits
    except Refused as refused:
        return refused.reason


async def signed_by_us(message: bytes) -> str:
    """Sign with both keys; say what is wrong with it."""
    if b"\r\nFrom:" not in b"\r\n" + message:
        fields = sign(message, (rsa_key(),), NOW)
        return f"a message without From is signed: {fields!r}" if fields else ""
    signed = sign(message, (rsa_key(), ed25519_key()), NOW) + message
    found = await verify(signed, zone(), NOW)
    if not all(each.result is Result.PASS for each in found[:2]):
        return f"we do not verify ours: {found}"
    answers = {
        each.name.encode() + b".": each.record().encode() for each in (rsa_key(), ed25519_key())
    }
    for number in range(2):
        if not dkimpy.DKIM(signed).verify(number, dnsfunc=lambda name, timeout=5: answers[name]):
            return f"dkimpy does not verify signature {number}"
    return ""

import pytest

from postroad.service.totp import code_at, key_uri, matching_step, step_of

SECRET = b"12345678901234567890"


@pytest.mark.parametrize(
    ("now", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_the_codes_of_the_rfc(now: int, code: str) -> None:
    """RFC 6238, appendix B, those of SHA-1."""
    assert code_at(SECRET, step_of(now), digits=8) == code


@pytest.mark.parametrize(
    ("late", "taken"), [(0, True), (1, True), (-1, True), (2, False), (-2, False)]
)
def test_clocks_differ_by_a_step(late: int, taken: bool) -> None:
    now = 1_700_000_000.0
    code = code_at(SECRET, step_of(now) + late)
    expected = step_of(now) + late if taken else None
    assert matching_step(SECRET, code, now) == expected


def test_a_code_that_was_taken_is_not_found_again() -> None:
    now = 1_700_000_000.0
    step = step_of(now)
    assert matching_step(SECRET, code_at(SECRET, step), now, after=step) is None
    assert matching_step(SECRET, code_at(SECRET, step), now, after=step - 1) == step


@pytest.mark.parametrize("code", ["", "12345", "1234567", "é23456", "\ud800"])
def test_what_is_no_code(code: str) -> None:
    assert matching_step(SECRET, code, 1_700_000_000.0) is None


def test_what_an_app_reads() -> None:
    uri = key_uri(SECRET, "ann+x@here.test", "mail.here.test")
    assert uri == (
        "otpauth://totp/mail.here.test:ann%2Bx%40here.test"
        "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=mail.here.test"
    )

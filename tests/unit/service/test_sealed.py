import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.service.sealed import Seal

SEAL = Seal(b"secret", "test")


@given(st.binary(max_size=200))
def test_what_is_sealed_opens(data: bytes) -> None:
    assert SEAL.open(SEAL.close(data, 100.0), 99.0) == data


def test_it_runs_out() -> None:
    sealed = SEAL.close(b"x", 100.0)
    assert SEAL.open(sealed, 100.0) is None


@pytest.mark.parametrize("text", ["", "x", "!!!!", "é", "A" * 60, "A" * 5000])
def test_what_was_not_sealed_here(text: str) -> None:
    assert SEAL.open(text, 0.0) is None


def test_another_purpose_secret_or_octet() -> None:
    sealed = SEAL.close(b"x", 100.0)
    assert Seal(b"secret", "other").open(sealed, 0.0) is None
    assert Seal(b"other", "test").open(sealed, 0.0) is None
    for place in range(0, len(sealed) - 2, 5):  # the last letter has bits that mean nothing
        other = "A" if sealed[place] != "A" else "B"
        assert SEAL.open(sealed[:place] + other + sealed[place + 1 :], 0.0) is None

"""Accounts: what their service decides before the store is asked."""

from collections.abc import Iterator
from typing import Any, cast

import pytest

from postroad.service.accounts import Accounts
from postroad.service.errors import Refused


class Tokens:
    """Gives out the tokens in order."""

    def __init__(self, *tokens: str) -> None:
        self._tokens: Iterator[str] = iter(tokens)

    def token(self, octets: int) -> str:
        return next(self._tokens)


def accounts(*tokens: str) -> Accounts:
    made = Accounts.__new__(Accounts)
    made._entropy = cast(Any, Tokens(*tokens))
    return made


def test_a_password_that_we_make_is_no_option_of_a_program() -> None:
    assert accounts("-not", "--nor", "g00d-")._usable(None) == "g00d-"


@pytest.mark.parametrize("password", ["", "x" * 10_000, "a\nb"])
def test_passwords_that_are_refused(password: str) -> None:
    with pytest.raises(Refused):
        accounts()._usable(password)

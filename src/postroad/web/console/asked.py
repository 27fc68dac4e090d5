"""What the routes of the console have in common: who asks, and reading what was asked for."""

from typing import Any, TypeAlias

from litestar import Request

from postroad.model import Account, Address, InvalidAddress, InvalidId, parse_domain, parse_id
from postroad.web.console.desk import words_of_operator
from postroad.web.console.door import OPERATOR, behind_the_door
from postroad.web.problem import Problem, invalid

Asked: TypeAlias = Request[Any, Any, Any]


def common(**more: Any) -> dict[str, Any]:
    """Return the settings of each route. The API's description, for programs, has none of them."""
    return {"guards": [behind_the_door], "include_in_schema": False, **more}


def operator_of(request: Asked) -> str:
    """Return who asks, in the words that the journey keeps."""
    account: Account = request.scope["state"][OPERATOR]
    return words_of_operator(account.address)


def address_in(field: str, text: str) -> Address:
    """Return an address. Raises `Problem`."""
    try:
        return Address.parse(text.strip())
    except InvalidAddress as error:
        raise invalid(field, str(error)) from None


def domain_in(field: str, text: str) -> str:
    """Return a domain as it is stored. Raises `Problem`."""
    try:
        return parse_domain(text.strip())
    except InvalidAddress as error:
        raise invalid(field, str(error)) from None


def message_in(text: str) -> int:
    """Return the number of a message. Raises `Problem`."""
    try:
        return parse_id(text.strip())
    except InvalidId:
        raise Problem(404, "unknown-message", f"there is no message {text[:40]!r}") from None

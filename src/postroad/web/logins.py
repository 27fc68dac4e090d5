"""Who logs in with a request: an account, by a password of its own or an app password (Basic, RFC 7617),
by a bearer token (RFC 6750), or by the session of a browser. Guessing is throttled as it is for all
servers.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from postroad.model import Account, Scope
from postroad.ports import TokensUnjudged
from postroad.service.authenticate import Authenticator, Visit
from postroad.service.throttle import Throttled
from postroad.web.people import HEADER, People
from postroad.web.problem import Problem

SERVER = "jmap"
_CHALLENGE = 'Basic realm="postroad", charset="UTF-8", Bearer realm="postroad"'


async def log_in(
    authenticator: Authenticator, scope: Mapping[str, Any], people: People | None = None
) -> Account:
    """Return the account. `people` recognises sessions, which are looked at where the request has no
    Authorization.

    Raises `Problem`: 401 without a good login, 429 where too many were bad, 403 where another site may
    have made the request.
    """
    given = next(
        (value for name, value in scope["headers"] if name == b"authorization"), b""
    ).decode("latin-1")
    if not given and people is not None:
        present = await people.present(scope)
        if present is not None:
            return present.account
    kind, _, value = given.strip().partition(" ")
    client = client_of(scope)
    try:
        account = await _judge(authenticator, kind.lower(), value.strip(), client)
    except Throttled as error:
        raise throttled(error) from None
    except TokensUnjudged:
        raise Problem(
            503,
            "tokens",
            "tokens cannot be judged now, try again later",
            headers={"Retry-After": "60"},
        ) from None
    if account is None:
        raise Problem(
            401,
            "unauthorized",
            "log in by an account's address and password, or by a token",
            headers={} if _is_ours(scope) else {"WWW-Authenticate": _CHALLENGE},
        )
    return account


def _is_ours(scope: Mapping[str, Any]) -> bool:
    """Whether the web app asks, whose user a browser must not ask for a password of its own accord."""
    return any(name == HEADER for name, _ in scope["headers"])


async def _judge(
    authenticator: Authenticator, kind: str, value: str, client: str
) -> Account | None:
    if kind == "bearer" and value:
        visit = Visit(client, SERVER, Scope.JMAP, "BEARER")
        return await authenticator.verify_token("", value, visit)
    if kind != "basic":
        return None
    try:
        name, colon, password = (
            base64.b64decode(value, validate=True).decode("utf-8").partition(":")
        )
    except (binascii.Error, UnicodeDecodeError):
        return None
    if not colon:
        return None
    return await authenticator.verify(name, password, Visit(client, SERVER, Scope.JMAP, "BASIC"))


def throttled(error: Throttled) -> Problem:
    """Return the problem of somebody who has to wait."""
    seconds = max(1, round(error.seconds + 0.5))
    return Problem(
        429,
        "too-many-logins",
        f"too many failed logins; try again in {seconds} s",
        headers={"Retry-After": str(seconds)},
    )


def client_of(scope: Mapping[str, Any]) -> str:
    """Return the IP address of the client, ``""`` where it is not known."""
    client = scope.get("client")
    return str(client[0]) if client else ""

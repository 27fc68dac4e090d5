"""Logins as the login journey keeps them: who came, how, from where, and whether it was let in."""

from enum import Enum

from msgspec import Struct


class LoginResult(Enum):
    """What became of a login."""

    OK = "ok"
    WRONG = "wrong"  # password, proof or token; or there is no such user
    DISABLED = "disabled"  # the password was right
    OUT_OF_SCOPE = "out of scope"  # a password that is not for this server
    CODE_WANTED = "code wanted"  # the password was right, and there is a second factor
    THROTTLED = "throttled"  # not even looked at


class Login(Struct, frozen=True):
    """One login, or `count` of them that differ in nothing but their time.

    `at` is when the first was, `last_at` the last, in seconds since 1970. `username` is as
    `Address.folded` where it is an address; `client` an IP address; `server` the kind of server;
    `app_password` the name of the one that was used, ``""`` for none.
    """

    at: float
    last_at: float
    username: str
    result: LoginResult
    mechanism: str
    server: str
    client: str
    app_password: str = ""
    count: int = 1

"""The use cases of people who log in with a browser: one field of `Services`."""

from msgspec import Struct

from postroad.service.accounts import Accounts
from postroad.service.web_login import WebLogin
from postroad.web.people import People


class SigningIn(Struct, frozen=True):
    """What the routes of logging in call."""

    people: People
    web_login: WebLogin
    accounts: Accounts

"""The use cases of people who log in with a browser: one field of `Services`."""

from msgspec import Struct

from postroad.service.accounts import Accounts
from postroad.service.app_passwords import AppPasswords
from postroad.service.authenticate import Authenticator
from postroad.service.grants import Grants
from postroad.service.passkeys import Passkeys
from postroad.service.second_factors import SecondFactors
from postroad.service.web_login import WebLogin
from postroad.web.people import People


class SigningIn(Struct, frozen=True):
    """What the routes of logging in call."""

    people: People
    web_login: WebLogin
    accounts: Accounts
    authenticator: Authenticator
    factors: SecondFactors
    passkeys: Passkeys
    app_passwords: AppPasswords
    grants: Grants | None = None

"""Which account asks, and whether it is an operator's: 401 for nobody, 403 for anybody else.

Only a session of the web login counts: an app password in some mail program is no operator.
"""

from postroad.model import Account
from postroad.web.console.door import Operators, Scope
from postroad.web.people import People
from postroad.web.problem import Problem


def operators(people: People) -> Operators:
    """Return what recognises operators."""

    async def recognise(scope: Scope) -> Account:
        present = await people.present(scope)
        if present is None:
            raise Problem(401, "log-in", "log in first")
        account: Account = present.account
        if not account.operator:
            raise Problem(
                403,
                "operators-only",
                f"{account.address} is no operator; it is made one by: "
                f"postroad account change {account.address} --operator",
            )
        return account

    return recognise

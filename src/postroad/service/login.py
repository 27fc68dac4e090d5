"""One SASL exchange joined to the authenticator: the same for every server."""

from postroad.model import Account
from postroad.ports import Entropy
from postroad.service.authenticate import Authenticator, ScramOffer, Visit, folded
from postroad.wire.sasl import (
    BearerServer,
    Challenge,
    KeysWanted,
    PasswordGiven,
    Proven,
    SaslMalformed,
    ScramServer,
    TokenGiven,
    denial,
    make_server,
)

_NONCE_OCTETS = 18


class SaslLogin:
    """One exchange. `binding` is the channel's (`tls-server-end-point`), None where there is none;
    `plus_offered` tells whether the client was offered to use it.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        entropy: Entropy,
        visit: Visit,
        *,
        plus_offered: bool = False,
        binding: bytes | None = None,
        discovery_url: str = "",
    ) -> None:
        self._authenticator = authenticator
        self._entropy = entropy
        self._visit = visit
        self._server = make_server(visit.mechanism, plus_offered=plus_offered, binding=binding)
        self._discovery_url = discovery_url
        self._offer: ScramOffer | None = None
        self._is_judged = False
        self.username = ""
        """What the client calls itself, as far as it said; for the log."""

    async def step(self, response: bytes | None) -> Challenge | Account | None:
        """Take a message of the client: return the next challenge, the account that logged in, or None
        for a login that failed.

        Raises `SaslMalformed`, `Throttled`, `StorageError` and `TokensUnjudged`, which end the exchange.
        """
        if self._offer is None:
            return await self._step(response)
        if self._is_judged:  # the client only confirms what it heard
            return self._proof(self._offer, response)
        with await self._authenticator.scram_attempt(self._offer, self._visit):
            return self._proof(self._offer, response)

    async def _step(self, response: bytes | None) -> Challenge | Account | None:
        server, visit, authenticator = self._server, self._visit, self._authenticator
        step = server.step(response)
        match step:
            case Challenge():
                return step
            case PasswordGiven():
                self._named(step.username, step.authorization_id)
                return await authenticator.verify(step.username, step.password, visit)
            case TokenGiven():
                self._named(step.username)
                account = await authenticator.verify_token(step.username, step.token, visit)
                if account is None:
                    assert isinstance(server, BearerServer)
                    return server.deny(denial(visit.mechanism, self._discovery_url))
                return account
            case KeysWanted():
                self._named(step.username, step.authorization_id)
                assert isinstance(server, ScramServer)
                offer = self._offer = await authenticator.scram_offer(step.username, visit)
                nonce = self._entropy.token(_NONCE_OCTETS)
                return server.offer(offer.keys, nonce, real=offer.account is not None)
        return None

    def _proof(self, offer: ScramOffer, response: bytes | None) -> Challenge | Account | None:
        """What follows an offer; it is judged without waiting."""
        match self._server.step(response):
            case Challenge() as challenge:
                self._is_judged = True
                return challenge
            case Proven(which=which):
                return self._authenticator.scram_proven(offer, which, self._visit)
        self._authenticator.scram_failed(offer, self._visit)
        return None

    def _named(self, username: str, authorization_id: str = "") -> None:
        self.username = folded(username)
        if authorization_id and folded(authorization_id) != self.username:
            raise SaslMalformed("you may act only as yourself here")


class SaslLogins:
    """Begins exchanges, for all servers of a process. `discovery_url` tells clients with a bad token who
    gives good ones, ``""`` where nobody does.
    """

    def __init__(
        self, authenticator: Authenticator, entropy: Entropy, *, discovery_url: str = ""
    ) -> None:
        self._authenticator = authenticator
        self._entropy = entropy
        self._discovery_url = discovery_url

    async def verify(self, username: str, password: str, visit: Visit) -> Account | None:
        """Log in without SASL, by a password that came in commands; see `Authenticator.verify`."""
        return await self._authenticator.verify(username, password, visit)

    def begin(self, visit: Visit, *, plus_offered: bool, binding: bytes | None) -> SaslLogin:
        """Return a new exchange, see `SaslLogin`."""
        return SaslLogin(
            self._authenticator,
            self._entropy,
            visit,
            plus_offered=plus_offered,
            binding=binding,
            discovery_url=self._discovery_url,
        )

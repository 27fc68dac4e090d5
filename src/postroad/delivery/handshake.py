"""The dialogue from the greeting to where MAIL may be said, with TLS as the rule of the link has it.

Every method raises `Refused`. Under a rule that requires TLS nothing is said in clear beyond STARTTLS,
so who strips the offer gains nothing (RFC 3207 §6).
"""

from postroad.delivery.demand import Demand
from postroad.delivery.dialogue import Dialogue
from postroad.delivery.mx import printable
from postroad.delivery.trial import Place, Refused, Trial
from postroad.model import LinkPolicy, Reply, TlsFailure, TlsPolicy
from postroad.ports import Clock, TlsFailed
from postroad.trust.dane import DaneProblem, verify_dane
from postroad.wire.smtp import (
    AuthDone,
    ClientEvent,
    Greeting,
    HelloDone,
    LocalProtocolError,
    Lost,
    TlsReady,
    TlsRefused,
)

_FAILURES = {
    DaneProblem.NAME: TlsFailure.HOST_MISMATCH,
    DaneProblem.EXPIRED: TlsFailure.EXPIRED,
    DaneProblem.NO_MATCH: TlsFailure.VALIDATION,
    DaneProblem.CHAIN: TlsFailure.NOT_TRUSTED,
    DaneProblem.NO_ISSUER: TlsFailure.NOT_TRUSTED,
}
_VERIFYING = (TlsPolicy.VERIFY, TlsPolicy.IMPLICIT)


class Handshake:
    """One connection's way to MAIL. `verified` says by what the server proved who it is."""

    def __init__(
        self,
        dialogue: Dialogue,
        clock: Clock,
        trial: Trial,
        place: Place,
        demand: Demand,
        tls_seconds: float,
    ) -> None:
        self.verified = ""
        self._dialogue = dialogue
        self._machine = dialogue.machine
        self._clock = clock
        self._trial = trial
        self._place = place
        self._demand = demand
        self._tls_seconds = tls_seconds

    async def greet(self) -> None:
        """Wait for the greeting."""
        event = await self._expect("greeting")
        assert isinstance(event, Greeting)
        self._accept(event.reply, "greeting", "greeted with")

    async def hello(self) -> None:
        """Say EHLO."""
        self._machine.hello(self._clock.monotonic())
        event = await self._expect("hello")
        assert isinstance(event, HelloDone)
        self._accept(event.reply, "hello", "answered EHLO with")

    async def starttls(self) -> None:
        """Upgrade by STARTTLS where it is offered; else go on in clear where the rule lets us."""
        if "STARTTLS" not in self._machine.extensions:
            self._in_clear(f"{_required(self._demand)} and not offered")
            return
        self._machine.starttls(self._clock.monotonic())
        event = await self._expect("tls")
        if isinstance(event, TlsRefused):
            self._in_clear(f"{_required(self._demand)}, refused: {event.reply}")
            self._trial.step(
                "tls", f"{self._place}: STARTTLS refused, going on in clear: {event.reply}"
            )
            return
        assert isinstance(event, TlsReady)
        await self.secure()
        self._machine.tls_started(self._clock.monotonic())
        await self.hello()

    def _in_clear(self, problem: str) -> None:
        failure = TlsFailure.STARTTLS_NOT_SUPPORTED
        if self._demand.required:
            raise self._refused("4.7.4", problem, "tls", failure=failure)
        self._count(failure)

    async def secure(self) -> None:
        """Make the TLS handshake, and judge what the server shows."""
        stream, demand = self._dialogue.stream, self._demand
        left = max(0.001, self._dialogue.limit - self._clock.monotonic())
        server_name = demand.server_name or self._place.host.name
        try:
            await stream.start_tls(demand.tls, server_name, min(self._tls_seconds, left))
        except TlsFailed as error:
            raise self._refused(
                "4.7.5", error.reason, "tls", tls=True, failure=error.failure
            ) from error
        if demand.records:
            self._judge()
        elif demand.tls in _VERIFYING:
            self.verified = f"certificate valid for {server_name}"
        shown = self.verified
        if demand.tls in _VERIFYING:
            shown = f"certificate verified for {server_name}"
        self._trial.step("tls", f"{stream.tls}, {shown or 'certificate not verified'}")
        self._count(demand.failure)

    def _judge(self) -> None:
        """DANE (RFC 7672 §3)."""
        demand = self._demand
        verdict = verify_dane(
            demand.records, self._dialogue.stream.chain, demand.names, self._clock.now()
        )
        if verdict.problem is not None or verdict.record is None:
            raise self._refused(
                "4.7.5",
                f"the certificate does not fit the TLSA records of {demand.server_name}: "
                f"{verdict.reason}",
                "tls",
                tls=True,
                failure=_FAILURES[verdict.problem or DaneProblem.NO_MATCH],
            )
        self.verified = f"certificate fits TLSA {verdict.record} of {demand.server_name}"

    async def login(self, username: str, password: str, without_tls: bool) -> None:
        """Log in."""
        if not (self._machine.secure or without_tls):
            raise self._refused("4.7.4", "no login without TLS (see login_without_tls)", "auth")
        try:
            self._machine.auth(
                username, password, self._clock.monotonic(), allow_plaintext=without_tls
            )
        except LocalProtocolError as error:
            raise self._refused("4.7.0", str(error), "auth") from error
        event = await self._expect("auth")
        assert isinstance(event, AuthDone)
        if not event.reply.positive:
            # Our settings are wrong, not the mail: it waits until they are mended.
            raise self._refused("4.7.8", f"login as {username} refused: {event.reply}", "auth")
        self._trial.step("auth", f"as {username}: {event.reply}")

    def _count(self, failure: TlsFailure | None) -> None:
        demand = self._demand
        source = self._dialogue.stream.source
        self._trial.count(demand, self._place, failure, demand.reason, source)

    async def _expect(self, what: str) -> ClientEvent:
        event = await self._dialogue.event()
        if isinstance(event, Lost):
            raise self._refused("4.4.2", f"connection lost ({event.reason})", what)
        return event

    def _accept(self, reply: Reply, what: str, words: str) -> None:
        if reply.positive:
            self._trial.step(what, str(reply))
            return
        text = printable(f"{self._place} {words} {reply}".replace("\n", " / "))
        if reply.permanent:
            raise Refused(Reply(reply.code, reply.enhanced or "5.3.0", text), what)
        raise Refused(Reply(reply.code, reply.enhanced or "4.3.0", text), what)

    def _refused(
        self,
        enhanced: str,
        text: str,
        what: str,
        *,
        tls: bool = False,
        failure: TlsFailure | None = None,
    ) -> Refused:
        text = printable(f"{self._place}: {text}".replace("\n", " / "))
        return Refused(Reply(451, enhanced, text), what, tls=tls, failure=failure)


def _required(demand: Demand) -> str:
    by = {LinkPolicy.DANE: " by DANE", LinkPolicy.STS_ENFORCE: " by MTA-STS"}
    return f"TLS is required{by.get(demand.policy, '')}"

"""Sends TLS reports (RFC 8460): once a day, to each domain that asks for them, by mail of our own.

What was counted is forgotten when the report is queued, or when nobody wants it. A crash in between
sends it again, under the same report id, by which receivers know it. What cannot be done now (no answer
from the DNS, a store that is full) is tried again in an hour, and given up after some days.
"""

from datetime import UTC, datetime, timedelta

import structlog
from msgspec import Struct

from postroad.message.trace import rfc5322_date
from postroad.model import (
    Address,
    Envelope,
    Group,
    InvalidAddress,
    Origin,
    Recipient,
    ServerKind,
    TlsReported,
)
from postroad.ports import AnswerStatus, Clock, Ledger, Resolver, SecurityStore, StorageError
from postroad.service.intake import Intake
from postroad.trust.tls_report import ReportLetter, build_report, parse_rua, write_letter

log = structlog.get_logger("postroad.tls_reports")

_EVERY_SECONDS = 3600.0
_FIRST_SECONDS = 60.0
_KEEP_DAYS = 3
_BATCH = 100


class TlsReportSettings(Struct, frozen=True):
    """From whom reports come: `contact` is their sender, whose domain is the submitter's."""

    contact: Address
    organization: str


class TlsReports:
    """Makes and sends reports."""

    def __init__(
        self,
        *,
        security: SecurityStore,
        ledger: Ledger,
        resolver: Resolver,
        intake: Intake,
        clock: Clock,
        settings: TlsReportSettings,
    ) -> None:
        self._security = security
        self._ledger = ledger
        self._resolver = resolver
        self._intake = intake
        self._clock = clock
        self._settings = settings

    async def run(self) -> None:
        """Send what is due, every hour, until cancelled."""
        await self._clock.sleep(_FIRST_SECONDS)
        while True:
            sent = await self.send_due()
            if sent:
                log.info("TLS reports sent", reports=sent)
            await self._clock.sleep(_EVERY_SECONDS)

    async def send_due(self, today: str = "") -> int:
        """Send the reports of all days before `today` (UTC, ``2026-11-25``; left out: what it is now);
        return how many. Never raises for a store that fails: it is tried again.
        """
        today = today or _day(self._clock.now())
        oldest = f"{datetime.fromisoformat(today) - timedelta(days=_KEEP_DAYS):%Y-%m-%d}"
        sent = 0
        done: set[tuple[str, str]] = set()
        try:
            while True:
                due = await self._security.tls_days(today, len(done) + _BATCH)
                fresh = [each for each in due if each not in done]
                if not fresh:
                    return sent
                for day, domain in fresh:
                    done.add((day, domain))
                    sent += await self._report(day, domain, give_up=day < oldest)
        except StorageError as error:
            log.error("TLS reports could not be made; they are tried again", error=str(error))
            return sent

    async def _report(self, day: str, domain: str, *, give_up: bool) -> bool:
        """Send one report; return whether there was anybody to send it to."""
        answer = await self._resolver.lookup(f"_smtp._tls.{domain}", "TXT")
        if answer.status is AnswerStatus.FAILED and not give_up:
            return False
        recipients = _mail_places(parse_rua(answer.records))
        queued = bool(recipients) and await self._send(day, domain, recipients)
        if queued or not recipients or give_up:
            await self._ledger.commit(Group((TlsReported(self._clock.now(), day, domain),)))
        return queued

    async def _send(self, day: str, domain: str, recipients: list[Address]) -> bool:
        contact = self._settings.contact
        results = await self._security.tls_results(day, domain)
        name = f"{day}.{domain}@{contact.domain}"
        report = build_report(
            results,
            day=day,
            report_id=name,
            organization=self._settings.organization,
            contact=str(contact),
        )
        letter = ReportLetter(
            sender=str(contact),
            recipient=", ".join(map(str, recipients)),
            submitter=contact.domain,
            domain=domain,
            day=day,
            date=rfc5322_date(self._clock.now()),
            message_id=f"<tls-report.{name}>",
        )
        envelope = Envelope(contact, tuple(map(Recipient, recipients)))
        reply = await self._intake.submit(
            envelope, write_letter(letter, report), Origin(ServerKind.LOCAL)
        )
        if not reply.positive:
            log.warning("TLS report not queued", domain=domain, day=day, reply=str(reply))
        return reply.positive


def _mail_places(places: tuple[str, ...]) -> list[Address]:
    """The addresses among the places; reports go by mail only, and to addresses in ASCII."""
    found = []
    for place in places:
        scheme, _, text = place.partition(":")
        try:
            address = Address.parse(text) if scheme == "mailto" else None
        except InvalidAddress:
            continue
        if address is not None and address.is_ascii and address not in found:
            found.append(address)
    return found


def _day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"

"""Sends TLS reports (RFC 8460): once a day, to each domain that asks for them, to every place that it
names: by mail of our own, by HTTPS (§5.4).

What was counted is kept until the report is queued and every HTTPS place has taken it, or nobody wants
it. A crash in between sends it again, under the same report id, by which receivers know it. What cannot
be done now (no answer from the DNS, a store that is full, a web server that is down) is tried again in
an hour, and given up after some days.
"""

import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import structlog
from msgspec import Struct

from postroad.delivery.exchange import FetchFailed
from postroad.delivery.https import Fetcher
from postroad.message.trace import rfc5322_date
from postroad.model import (
    Address,
    Envelope,
    Group,
    InvalidAddress,
    Origin,
    Recipient,
    Reply,
    ServerKind,
    TlsReported,
)
from postroad.ports import AnswerStatus, Clock, Ledger, Resolver, SecurityStore, StorageError
from postroad.trust.tls_report import (
    ReportLetter,
    TlsReport,
    build_report,
    pack_report,
    parse_rua,
    write_letter,
)
from postroad.wire.http import HttpsAddress, parse_https

log = structlog.get_logger("postroad.tls_reports")

_EVERY_SECONDS = 3600.0
_FIRST_SECONDS = 60.0
_KEEP_DAYS = 3
_BATCH = 100
_MAX_HALF_DONE = 10_000
_MEDIA_TYPE = "application/tlsrpt+gzip"
_BY_MAIL = "mail"  # all addresses of mail are one place: one message goes to all of them


class TlsReportSettings(Struct, frozen=True):
    """From whom reports come: `contact` is their sender, whose domain is the submitter's."""

    contact: Address
    organization: str


class TlsReports:
    """Makes and sends reports. `submit` queues a message of ours."""

    def __init__(
        self,
        *,
        security: SecurityStore,
        ledger: Ledger,
        resolver: Resolver,
        submit: Callable[[Envelope, bytes, Origin], Awaitable[Reply]],
        clock: Clock,
        settings: TlsReportSettings,
        fetcher: Fetcher,
    ) -> None:
        self._security = security
        self._ledger = ledger
        self._resolver = resolver
        self._submit = submit
        self._clock = clock
        self.settings = settings
        self.fetcher = fetcher
        # Of reports that some place has yet to take: the places that did, by day and domain.
        self._half_done: dict[tuple[str, str], set[str]] = {}

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
        """Send one report; return whether everybody who asks for it has it."""
        answer = await self._resolver.lookup(f"_smtp._tls.{domain}", "TXT")
        if answer.status is AnswerStatus.FAILED and not give_up:
            return False
        places = parse_rua(answer.records)
        recipients, addresses = _mail_places(places), _https_places(places)
        wanted = bool(recipients or addresses)
        sent = wanted and await self._send(day, domain, recipients, addresses)
        if sent or not wanted or give_up:
            self._half_done.pop((day, domain), None)
            await self._ledger.commit(Group((TlsReported(self._clock.now(), day, domain),)))
        return sent

    async def _send(
        self, day: str, domain: str, recipients: list[Address], addresses: list[HttpsAddress]
    ) -> bool:
        """Send a report to all places that have not taken it; return whether all have."""
        results = await self._security.tls_results(day, domain)
        report = build_report(
            results,
            day=day,
            report_id=self._name(day, domain),
            organization=self.settings.organization,
            contact=str(self.settings.contact),
        )
        done = self._half_done.get((day, domain), set())
        for address in addresses:
            if str(address) not in done and await self._post(address, report, domain):
                done.add(str(address))
        if (
            recipients
            and _BY_MAIL not in done
            and await self._mail(day, domain, recipients, report)
        ):
            done.add(_BY_MAIL)
        if len(done) == len(addresses) + bool(recipients):
            return True
        if done and len(self._half_done) < _MAX_HALF_DONE:
            self._half_done[day, domain] = done
        return False

    async def _post(self, address: HttpsAddress, report: TlsReport, domain: str) -> bool:
        """RFC 8460 §5.4. Where the response is lost the report is sent again, under its id."""
        try:
            response = await self.fetcher.post(
                address, pack_report(report), _MEDIA_TYPE, head_only=True
            )
        except FetchFailed as error:
            log.warning("TLS report not taken", domain=domain, place=str(address), error=str(error))
            return False
        taken = 200 <= response.status < 300
        if not taken:
            log.warning(
                "TLS report not taken", domain=domain, place=str(address), status=response.status
            )
        return taken

    async def _mail(
        self, day: str, domain: str, recipients: list[Address], report: TlsReport
    ) -> bool:
        contact = self.settings.contact
        letter = ReportLetter(
            sender=str(contact),
            recipient=", ".join(map(str, recipients)),
            submitter=contact.domain,
            domain=domain,
            day=day,
            date=rfc5322_date(self._clock.now()),
            message_id=f"<tls-report.{self._name(day, domain)}>",
        )
        envelope = Envelope(contact, tuple(map(Recipient, recipients)))
        reply = await self._submit(envelope, write_letter(letter, report), Origin(ServerKind.LOCAL))
        if not reply.positive:
            log.warning("TLS report not queued", domain=domain, day=day, reply=str(reply))
        return reply.positive

    def _name(self, day: str, domain: str) -> str:
        return f"{day}.{domain}@{self.settings.contact.domain}"


def _mail_places(places: tuple[str, ...]) -> list[Address]:
    """The mail addresses among the places, as far as they are ASCII."""
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


def _https_places(places: tuple[str, ...]) -> list[HttpsAddress]:
    """The addresses of HTTPS among the places; what is wrong with one is its owner's mistake."""
    found = []
    for place in places:
        if place.lower().startswith("https:"):
            with contextlib.suppress(ValueError):
                address = parse_https(place)
                if address not in found:
                    found.append(address)
    return found


def _day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"

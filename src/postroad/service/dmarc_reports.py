"""Sends DMARC aggregate reports (RFC 7489 §7.2, RFC 9990): once a day, to domains that ask for them.

What was seen of messages is noted by the day; when the day is over (UTC) it is counted, and a report per
domain goes out as mail of our own. A crash in between sends reports again, under the same id, by which
receivers know them. What cannot be done now is tried again in an hour, and given up after some days.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import msgspec
import structlog
from msgspec import Struct

from postroad.message.trace import rfc5322_date
from postroad.model import Address, Envelope, InvalidAddress, Origin, Recipient, Reply, ServerKind
from postroad.ports import Clock, Resolver, StorageError
from postroad.ports.spool import DaySpool
from postroad.trust.dmarc import Discovery, Explorer, ReportUri
from postroad.trust.dmarc_report import (
    AggregateReport,
    Letter,
    Observation,
    PolicyPublished,
    Row,
    Tally,
    write_letter,
)
from postroad.trust.dmarc_report.consent import Consent, consent, mail_domain

log = structlog.get_logger("postroad.dmarc_reports")

_EVERY_SECONDS = 3600.0
_FIRST_SECONDS = 120.0
_KEEP_DAYS = 3
_MAX_RECIPIENTS = 5
_DAY_SECONDS = 86_400
_decoder = msgspec.json.Decoder(Observation)


class DmarcReportSettings(Struct, frozen=True):
    """From whom reports come: `contact` is their sender, whose domain is the submitter's."""

    contact: Address
    organization: str


class DmarcReports:
    """Notes what is seen, and reports it. `submit` queues a message of ours."""

    def __init__(
        self,
        *,
        spool: DaySpool,
        resolver: Resolver,
        submit: Callable[[Envelope, bytes, Origin], Awaitable[Reply]],
        clock: Clock,
        settings: DmarcReportSettings,
    ) -> None:
        self._spool = spool
        self._resolver = resolver
        self._submit = submit
        self._clock = clock
        self.settings = settings
        self._sent: dict[str, set[str]] = {}  # by day: domains that have theirs

    def note(self, seen: Sequence[Observation]) -> None:
        """Keep what was seen of a message. Never raises: mail must not suffer from statistics."""
        day = _day(self._clock.now())
        try:
            for each in seen:
                if not self._spool.add(day, msgspec.json.encode(each)):
                    log.debug("DMARC report is full", day=day)
        except StorageError as error:
            log.warning("what DMARC found is not counted", error=str(error))

    async def run(self) -> None:
        """Send what is due, every hour, until cancelled."""
        await self._clock.sleep(_FIRST_SECONDS)
        while True:
            sent = await self.send_due()
            if sent:
                log.info("DMARC reports sent", reports=sent)
            await self._clock.sleep(_EVERY_SECONDS)

    async def send_due(self) -> int:
        """Send the reports of all days that are over; return how many. Never raises for a store that
        fails: it is tried again.
        """
        now = self._clock.now()
        today, oldest = _day(now), _day(now - _KEEP_DAYS * _DAY_SECONDS)
        sent = 0
        try:
            for day in self._spool.days():
                if day >= today:
                    continue
                tally = await asyncio.to_thread(self._count, day)
                whole = True
                done = self._sent.setdefault(day, set())
                for record, policy, rows in tally.reports():
                    if policy.domain in done:
                        continue
                    outcome = await self._report(day, record.rua, policy, rows)
                    if outcome is None:
                        whole = False
                    else:
                        done.add(policy.domain)
                        sent += outcome
                if whole or day < oldest:
                    self._spool.forget(day)
                    self._sent.pop(day, None)
        except StorageError as error:
            log.error("DMARC reports could not be made; they are tried again", error=str(error))
        return sent

    def _count(self, day: str) -> Tally:
        tally = Tally()
        for line in self._spool.lines(day):
            try:
                tally.add(_decoder.decode(line))
            except msgspec.DecodeError:
                continue  # cut short by a crash
        if tally.left_out:
            log.warning("a DMARC report does not tell all", day=day, left_out=tally.left_out)
        return tally

    async def _report(
        self, day: str, rua: Sequence[ReportUri], policy: PolicyPublished, rows: Sequence[Row]
    ) -> bool | None:
        """Send one report; return whether anybody takes it, None where that cannot be known now."""
        recipients = await self._recipients(policy.domain, rua)
        if not recipients:
            return None if recipients is None else False
        contact = self.settings.contact
        begin = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())
        name = f"{day}.{policy.domain}@{contact.domain}"
        report = AggregateReport(
            org_name=self.settings.organization,
            email=str(contact),
            report_id=name,
            begin=begin,
            end=begin + _DAY_SECONDS - 1,
            policy=policy,
            rows=tuple(rows),
            generator="Postroad",
        )
        letter = Letter(
            sender=str(contact),
            recipient=", ".join(map(str, recipients)),
            submitter=contact.domain,
            date=rfc5322_date(self._clock.now()),
            message_id=f"<dmarc-report.{name}>",
        )
        data = await asyncio.to_thread(write_letter, letter, report)
        envelope = Envelope(contact, tuple(map(Recipient, recipients)))
        reply = await self._submit(envelope, data, Origin(ServerKind.LOCAL))
        if reply.positive:
            return True
        log.warning("DMARC report not queued", domain=policy.domain, day=day, reply=str(reply))
        return None if reply.transient else False

    async def _recipients(self, domain: str, rua: Sequence[ReportUri]) -> list[Address] | None:
        """The addresses that may get reports; None where the DNS does not say so now."""
        explorer = Explorer(self._resolver, Discovery.TREE_WALK)
        found: list[Address] = []
        unknown = False
        for each in rua[:_MAX_RECIPIENTS]:
            receiver = mail_domain(each.uri)
            try:
                address = Address.parse(each.uri.partition(":")[2].partition("?")[0])
            except InvalidAddress:
                continue
            if not receiver or not address.is_ascii:
                continue
            said, _ = await consent(domain, receiver, explorer, self._resolver)
            unknown = unknown or said is Consent.UNKNOWN
            if said is Consent.GIVEN and address not in found:
                found.append(address)
        return None if unknown and not found else found


def _day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"

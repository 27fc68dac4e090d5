"""Makes JMAP, for the HTTP server of a process."""

from postroad.runtime.config import Config
from postroad.runtime.office import Office
from postroad.service.intake import Intake
from postroad.service.jmap import Desk, Jmap, JmapSettings
from postroad.service.jmap.counting import KnownCounts
from postroad.service.jmap.noticing import Noticing
from postroad.service.postings import Postings
from postroad.wire.jmap import Limits


def make_jmap(office: Office, intake: Intake) -> Jmap:
    """Return what answers for all accounts."""
    store = office.store
    settings = jmap_settings(office.config)
    noticing = Noticing(
        ledger=store.ledger,
        mailboxes=store.mailboxes,
        emails=store.emails,
        content=store.content,
        clock=office.clock,
        entropy=office.entropy,
        wait_seconds=settings.notice_seconds,
    )
    return Jmap(
        Desk(
            ledger=store.ledger,
            mailboxes=store.mailboxes,
            emails=store.emails,
            content=store.content,
            queue=store.queue,
            owners=store.owners,
            clock=office.clock,
            entropy=office.entropy,
            recipients=office.recipients,
            postings=Postings(intake),
            settings=settings,
            noticing=noticing,
            counts=KnownCounts(store.emails),
            quotas=office.quotas,
            lessons=office.junk if office.config.junk.learn else None,
        )
    )


def jmap_settings(config: Config) -> JmapSettings:
    """Return what JMAP is told."""
    section = config.jmap
    limits = Limits(
        max_size_upload=section.max_upload_octets,
        max_concurrent_upload=section.max_at_once,
        max_size_request=section.max_request_octets,
        max_concurrent_requests=section.max_at_once,
        max_calls_in_request=section.max_calls,
        max_objects_in_get=section.max_objects,
        max_objects_in_set=section.max_objects,
    )
    return JmapSettings(
        hostname=config.server.hostname,
        limits=limits,
        max_message_octets=config.limits.max_message_octets,
        max_recipients=config.limits.max_recipients,
        hold_max_seconds=int(config.submission.hold_max_seconds),
        max_mailboxes=section.max_mailboxes,
        keep_upload_seconds=section.keep_upload_seconds,
        keep_submissions=section.keep_submissions,
    )

"""Makes the HTTP server of a process, where one is wanted: loading what it is made of takes a while."""

import asyncio
from typing import TYPE_CHECKING

from postroad.runtime.config import Config
from postroad.runtime.console import Surroundings, make_console
from postroad.runtime.office import Office
from postroad.runtime.personal import Personal
from postroad.service.authenticate import Authenticator
from postroad.service.intake import Intake
from postroad.service.jmap import Jmap
from postroad.service.landing import Landing
from postroad.service.web_login import WebLogin
from postroad.service.webhook_post import Post

if TYPE_CHECKING:
    from postroad.web.connection import HttpServer
    from postroad.web.settings import WebSettings
    from postroad.web.signing_in import SigningIn


def make_web(
    office: Office,
    intake: Intake,
    authenticator: Authenticator,
    post: Post,
    jmap: Jmap | None = None,
    around: Surroundings | None = None,
    personal: Personal | None = None,
) -> "HttpServer":
    """Return the server of all routes, for the running event loop."""
    from postroad.service.postings import Postings
    from postroad.web.app import make_app
    from postroad.web.connection import HttpServer
    from postroad.web.services import Services

    settings = web_settings(office.config)
    services = Services(
        settings=settings,
        clock=office.clock,
        entropy=office.entropy,
        api_keys=office.api_keys,
        postings=Postings(intake),
        labels=office.store.labels,
        queue=office.store.queue,
        recipients=office.recipients,
        domains=office.domains,
        desk=office.desk,
        journeys=office.journeys,
        suppressions=office.suppressions,
        landing=_landing(office),
        templates=office.templates,
        webhooks=office.webhooks,
        post=post,
        jmap=jmap,
        authenticator=authenticator,
        signing_in=_signing_in(office, authenticator),
        console=make_console(office, around) if around is not None else None,
        display=None if personal is None else personal.display,
        roads=None if personal is None else personal.roads,
        reach=None if personal is None else personal.reach,
    )
    return HttpServer(make_app(services), settings, asyncio.get_running_loop())


def _signing_in(office: Office, authenticator: Authenticator) -> "SigningIn":
    from postroad.service.passkeys import Passkeys
    from postroad.web.people import People
    from postroad.web.signing_in import SigningIn

    return SigningIn(
        people=People(office.sessions),
        web_login=WebLogin(authenticator, office.second_factors, office.sessions),
        accounts=office.accounts,
        authenticator=authenticator,
        factors=office.second_factors,
        passkeys=Passkeys(
            ledger=office.store.ledger,
            store=office.store.sessions,
            directory=office.directory,
            clock=office.clock,
            secret=office.store.secret,
        ),
        app_passwords=office.app_passwords,
        grants=office.grants,
    )


def _landing(office: Office) -> Landing | None:
    """Where the links in mail of streams lead, None where no stream has any."""
    if office.mailings is None:
        return None
    return Landing(
        office.mailings.streams,
        tokens=office.link_tokens,
        departures=office.departures,
        journey=office.store.journey,
        ledger=office.store.ledger,
        clock=office.clock,
    )


def web_settings(config: Config) -> "WebSettings":
    """Return what the HTTP server is told."""
    from postroad.web.settings import WebSettings

    http, limits = config.http, config.limits
    return WebSettings(
        hostname=config.server.hostname,
        max_body_octets=http.max_body_octets,
        max_batch=http.max_batch,
        requests_per_second=http.requests_per_second,
        requests_at_once=http.requests_at_once,
        request_seconds=http.request_seconds,
        idle_seconds=http.idle_seconds,
        idempotency_seconds=http.idempotency_seconds,
        max_recipients=limits.max_recipients,
        max_message_octets=limits.max_message_octets,
        streams={name: section.domains for name, section in config.streams.items()},
        jmap_url=config.jmap.url,
        jmap_look_seconds=config.jmap.look_seconds,
    )

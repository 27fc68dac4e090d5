"""From the configuration to what each room is told."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import Struct, structs
from pydantic import BaseModel

from postroad.delivery.https import Fetcher, FetchSettings
from postroad.delivery.settings import DeliverySettings, Provider, RelayHost, Source
from postroad.mailbox import ReadAhead
from postroad.mailbox.junk import JunkSettings
from postroad.mailbox.quota import QuotaSettings
from postroad.model import Address, Quota, ServerKind
from postroad.network import ResolverSettings, SystemClock, parse_nameserver
from postroad.network.acme import (
    AcmeSettings,
    Binding,
    ChallengeDirectory,
    DnsCommand,
    DnsProof,
    DnsUpdate,
    HttpProof,
    Proof,
    TsigKey,
)
from postroad.policy.checks.recognition import Recognition
from postroad.ports import Clock, Network, Resolver, TokenVerifier
from postroad.queue import ProviderLimit, QueueSettings, StreamPolicy
from postroad.runtime.config import AcmeMode, Config
from postroad.runtime.config.quota import WhenFull
from postroad.runtime.config.sources import read_source, read_step
from postroad.servers.smtp import SMTPLimits
from postroad.service.authenticate import AuthenticatorSettings
from postroad.service.dmarc_reports import DmarcReportSettings
from postroad.service.grants import OauthSettings
from postroad.service.intake import IntakeSettings
from postroad.service.introspection import IntrospectionSettings, IntrospectionVerifier
from postroad.service.logins import LoginSettings
from postroad.service.mailing import StreamLinks
from postroad.service.sessions import SessionSettings
from postroad.service.streams import StreamRule, Streams
from postroad.service.tls_reports import TlsReportSettings
from postroad.service.tokens import JwtVerifier, TokenKeyInvalid, TokenSettings
from postroad.service.vacation import VacationSettings
from postroad.wire import pop3
from postroad.wire.http import parse_https
from postroad.wire.sasl import PLUS
from postroad.wire.smtp import ClientTimeouts, ServerConfig


def _same_names(section: BaseModel, settings: type[Struct]) -> dict[str, Any]:
    """Return the settings that section and struct call by the same name."""
    names = {field.name for field in structs.fields(settings)}
    return {name: getattr(section, name) for name in type(section).model_fields if name in names}


def mechanisms(config: Config, binding: bytes | None) -> tuple[str, ...]:
    """Return the SASL mechanisms that can be offered; `binding` is that of the certificate, if any."""
    lacking = set() if binding is not None else {PLUS}
    if not config.oauth.issuer and not config.gives_tokens:
        lacking |= {"OAUTHBEARER", "XOAUTH2"}
    return tuple(name for name in config.auth.mechanisms if name not in lacking)


def smtp_machine(
    config: Config, kind: ServerKind, *, tls: bool, binding: bytes | None = None
) -> ServerConfig:
    """Return what an SMTP server machine of `kind` is told; `tls`: there is a certificate."""
    submission = config.submission
    local = kind is ServerKind.LOCAL
    user_facing = kind is ServerKind.SUBMISSION
    section = submission if user_facing else config.mx
    may_log_in = user_facing and (tls or submission.auth_without_tls)
    return ServerConfig(
        hostname=config.server.hostname,
        starttls=tls and not local,
        auth=mechanisms(config, binding) if may_log_in else (),
        auth_required=user_facing and submission.auth_required,
        tls_required=section.tls_required and not local,
        auth_without_tls=submission.auth_without_tls,
        hold_max_seconds=int(submission.hold_max_seconds) if user_facing else 0,
        **_same_names(config.limits, ServerConfig),
    )


def smtp_limits(config: Config) -> SMTPLimits:
    """Return what SMTP clients may try."""
    return SMTPLimits(**_same_names(config.limits, SMTPLimits))


def pop3_machine(config: Config, *, tls: bool, binding: bytes | None = None) -> pop3.ServerConfig:
    """Return what a POP3 server machine is told."""
    return pop3.ServerConfig(
        hostname=config.server.hostname,
        starttls=tls,
        mechanisms=mechanisms(config, binding),
        max_login_failures=config.limits.max_login_failures,
        **_same_names(config.pop3, pop3.ServerConfig),
    )


def read_ahead(config: Config) -> ReadAhead:
    """Return what a POP3 session may hold."""
    return ReadAhead(octets=config.pop3.read_ahead_octets)


def queue(config: Config, node: str, worker: int = 0) -> QueueSettings:
    """Return what the queue is told; `node` is the store's own name for its server, `worker` tells its
    processes apart: the first one leases under the name of a lone process, and takes over from those
    that there were when there were more workers.
    """
    name = config.server.node or node
    return QueueSettings(
        hostname=config.server.hostname,
        node=f"{name}-{worker}" if worker else name,
        inherits=None if worker else partial(_is_of_more_workers, name, config.server.workers),
        streams={
            name: StreamPolicy(
                section.unknown or config.queue.unknown,
                section.retry_first_seconds,
                section.retry_max_seconds,
                section.lifetime_seconds,
                section.delay_notice_seconds,
                pool=section.sources or config.delivery.sources,
                quiet=section.quiet,
            )
            for name, section in config.streams.items()
        },
        pool=config.delivery.sources,
        providers=_shares(config),
        **_same_names(config.queue, QueueSettings),
    )


def _shares(config: Config) -> dict[str, ProviderLimit]:
    """What one of our processes may take of what providers get."""
    workers = config.server.workers
    return {
        name: ProviderLimit(
            per_minute=each.per_minute / workers,
            concurrency=each.concurrency and max(1, each.concurrency // workers),
        )
        for name, each in config.providers.items()
        if each.per_minute or each.concurrency
    }


def junk(config: Config) -> JunkSettings:
    """How mail is judged by what accounts learned."""
    section = config.junk
    return JunkSettings(
        threshold=section.threshold,
        min_messages=section.min_messages,
        max_tokens=section.max_tokens,
        max_lessons=section.max_lessons,
        message_tokens=section.max_message_tokens,
    )


def vacations(config: Config) -> VacationSettings:
    """How often accounts answer whose owners are away."""
    section = config.vacation
    return VacationSettings(section.period_seconds, section.max_answers)


def quotas(config: Config) -> QuotaSettings:
    """How much mail accounts may have."""
    section = config.quota
    default = Quota(section.octets, section.messages)
    return QuotaSettings(default, refuse=section.when_full is WhenFull.REFUSE)


def _is_of_more_workers(name: str, workers: int, node: str) -> bool:
    """Whether `node` is the name of a worker that there is not any more."""
    number = node.removeprefix(f"{name}-")
    return number != node and number.isdecimal() and int(number) >= workers


def intake(config: Config) -> IntakeSettings:
    """Return what the intake is told."""
    return IntakeSettings(
        hostname=config.server.hostname,
        max_header_octets=config.limits.max_header_octets,
        add_missing_headers=config.submission.add_missing_headers,
        authserv_ids=(authserv_id(config), config.server.hostname),
        idempotency_seconds=config.http.idempotency_seconds,
        once_by_message_id=config.submission.once_by_message_id,
        senders_checked=config.submission.check_sender and config.submission.auth_required,
        passing_on_as=config.forwarding.domain if config.forwarding.rewrite_sender else "",
        pass_on_quarantined=config.forwarding.quarantined == "forward",
        streams=Streams(
            StreamRule(name, section.senders, section.accounts)
            for name, section in config.streams.items()
        ),
        signing_domains={
            name: section.dkim_domain
            for name, section in config.streams.items()
            if section.dkim_domain
        },
    )


def stream_links(config: Config) -> dict[str, StreamLinks]:
    """Return what the recipients of streams get, for the streams whose recipients get copies."""
    return {
        name: StreamLinks(
            name,
            unsubscribe_domain=section.unsubscribe_domain,
            unsubscribe_base=_address(section.unsubscribe_address),
            tracking_domain=section.tracking_domain,
            opens=section.track_opens,
            clicks=section.track_clicks,
            tracking_days=section.tracking_days,
        )
        for name, section in config.streams.items()
        if section.writes_links
    }


def _address(text: str) -> Address | None:
    return Address.parse(text) if text else None


def recognition(config: Config) -> Recognition:
    """Return how mail from other servers is recognised."""
    trust = config.trust
    same = _same_names(trust, Recognition)
    same["authserv_id"] = authserv_id(config)
    same["unenforced"] = frozenset(trust.unenforced)
    same["sealers"] = frozenset(trust.sealers)
    return Recognition(discovery=trust.organizational_domain, **same)


def authserv_id(config: Config) -> str:
    """Return the name that stands in our Authentication-Results."""
    return config.trust.authserv_id or config.server.hostname


def authenticator(config: Config) -> AuthenticatorSettings:
    """Return what the authenticator is told."""
    return AuthenticatorSettings(**_same_names(config.auth, AuthenticatorSettings))


def login_book(config: Config) -> LoginSettings:
    """Return how the journey of logins is kept."""
    return LoginSettings(**_same_names(config.auth, LoginSettings))


def sessions(config: Config) -> SessionSettings:
    """Return how long people stay logged in with a browser."""
    return SessionSettings(**_same_names(config.web, SessionSettings))


def grants(config: Config) -> OauthSettings:
    """Return how long what was granted to programs is good."""
    return OauthSettings(**_same_names(config.web, OauthSettings))


def token_key(path: Path) -> bytes:
    """Return a public key (PEM) of a token issuer. Raises `OSError` or `TokenKeyInvalid`."""
    key = path.read_bytes()
    try:
        JwtVerifier([key], TokenSettings(issuer="", audience=""), SystemClock())
    except TokenKeyInvalid as error:
        raise TokenKeyInvalid(f"oauth.keys: {path}: {error}") from None
    return key


def tokens(
    config: Config, clock: Clock, resolver: Resolver, network: Network
) -> TokenVerifier | None:
    """Return who judges bearer tokens, None where none are taken.

    Raises `OSError` or `ValueError` where a key file is no use.
    """
    oauth = config.oauth
    if not oauth.issuer:
        return None
    told = TokenSettings(**_same_names(oauth, TokenSettings))
    if not oauth.introspection_url:
        return JwtVerifier([token_key(path) for path in oauth.keys], told, clock)
    seconds = oauth.introspection_seconds
    # The operator named the place, which may well be in this network.
    limits = FetchSettings(total_seconds=seconds, allow_private=True)
    asked = IntrospectionSettings(
        place=parse_https(oauth.introspection_url),
        client_id=oauth.client_id,
        client_secret=oauth.client_secret,
        total_seconds=seconds,
        cache_seconds=oauth.introspection_cache_seconds,
        max_cached=oauth.introspection_max_cached,
        max_questions=oauth.introspection_max_questions,
    )
    fetcher = Fetcher(resolver, network, clock, limits)
    return IntrospectionVerifier(fetcher, clock, told, asked)


def dmarc_reports(config: Config) -> DmarcReportSettings | None:
    """Return what the sender of DMARC reports is told; None: none are sent."""
    section = config.dmarc_reports
    if not section.contact:
        return None
    return DmarcReportSettings(
        Address.parse(section.contact), section.organization or config.server.hostname
    )


def challenge_directory(config: Config) -> Path:
    """Return where the texts for port 80 are."""
    return config.acme_directory / "challenges"


def acme(config: Config) -> AcmeSettings:
    """Return what the client of a certificate authority is told."""
    section = config.acme
    return AcmeSettings(
        directory_url=section.directory,
        account_key=config.acme_directory / "account.pem",
        contact=section.contact,
        ca_file=section.ca_file,
        binding=Binding(section.eab_key_id, section.eab_hmac_key) if section.eab_key_id else None,
        order_seconds=section.order_seconds,
    )


def acme_proof(config: Config) -> Proof:
    """Return how names are proved."""
    section = config.acme
    if config.tls.acme is AcmeMode.HTTP_01:
        return HttpProof(ChallengeDirectory(challenge_directory(config)))
    if section.dns_command:
        return DnsProof(DnsCommand(section.dns_command), section.dns_wait_seconds)
    key = None
    if section.tsig_name:
        key = TsigKey(section.tsig_name, section.tsig_secret, section.tsig_algorithm)
    update = DnsUpdate(parse_nameserver(section.dns_server), key, section.dns_zone)
    return DnsProof(update, section.dns_wait_seconds)


def resolver(config: Config) -> ResolverSettings:
    """Return what the resolver is told."""
    delivery = config.delivery
    return ResolverSettings(
        nameservers=tuple(
            parse_nameserver(text, trusted=delivery.nameservers_trusted)
            for text in delivery.nameservers
        ),
        timeout_seconds=delivery.dns_timeout_seconds,
        total_seconds=delivery.dns_total_seconds,
    )


def tls_reports(config: Config) -> TlsReportSettings | None:
    """Return what the sender of TLS reports is told; None: none are sent."""
    section = config.tls_reports
    if not section.contact:
        return None
    return TlsReportSettings(
        Address.parse(section.contact), section.organization or config.server.hostname
    )


def report_places(config: Config) -> FetchSettings:
    """Return the limits of bringing a TLS report by HTTPS."""
    return FetchSettings(
        total_seconds=config.tls_reports.https_seconds,
        allow_private=config.delivery.allow_private,
    )


def remote(config: Config, own_endpoints: Iterable[tuple[str, int]] = ()) -> DeliverySettings:
    """Return what remote delivery is told; `own_endpoints` are where our MX server listens.

    Raises `OSError` or `ValueError` where a password file is no use.
    """
    delivery = config.delivery
    relays: dict[str, dict[str, RelayHost]] = {"smtp": {}, "lmtp": {}}
    for domain, rule in config.routes.items():
        peer = rule.peer
        relays[rule.protocol][domain] = RelayHost(
            host=peer.host,
            port=peer.port,
            tls=rule.policy,
            credentials=rule.credentials,
            login_without_tls=rule.login_without_tls,
        )
    hostname = config.server.hostname
    same = _same_names(delivery, DeliverySettings)
    del same["source_ipv4"], same["source_ipv6"]  # "" there is None here
    return DeliverySettings(
        hostname=delivery.helo or hostname,
        own_names=frozenset({hostname}),
        own_endpoints=frozenset(own_endpoints),
        smarthosts=relays["smtp"],
        lmtp=relays["lmtp"],
        source_ipv4=delivery.source_ipv4 or None,
        source_ipv6=delivery.source_ipv6 or None,
        pools={name: _sources(config, name) for name in config.sources},
        providers=tuple(
            Provider(name, each.hosts, each.messages_per_connection or None)
            for name, each in config.providers.items()
        ),
        tls_reports=bool(config.tls_reports.contact),
        timeouts=ClientTimeouts(
            greeting_seconds=delivery.greeting_seconds,
            hello_seconds=delivery.command_seconds,
            auth_seconds=delivery.command_seconds,
            mail_seconds=delivery.command_seconds,
            rcpt_seconds=delivery.command_seconds,
            data_seconds=delivery.data_seconds,
            block_seconds=delivery.send_seconds,
            end_seconds=delivery.end_seconds,
        ),
        **same,
    )


def _sources(config: Config, name: str) -> tuple[Source, ...]:
    """The source addresses of a pool, with the plan of those that warm up."""
    section = config.sources[name]
    plan: tuple[tuple[int, int], ...] = ()
    if section.warmup:
        plan = tuple(map(read_step, config.warmups[section.warmup].caps))
    found = [read_source(text) for text in section.addresses]
    return tuple(structs.replace(each, plan=plan) if each.since else each for each in found)

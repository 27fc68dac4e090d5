"""What this server is to the DNS, by its configuration and, where that is silent, by the DNS itself."""

import ipaddress
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from postroad.model import KeyState
from postroad.network import SystemClock
from postroad.ports import Resolver, StorageError
from postroad.runtime.certificate import read_facts
from postroad.runtime.config import Config
from postroad.runtime.config.server import IMPLICIT_TLS_SERVICES
from postroad.runtime.config.sources import read_source
from postroad.runtime.own_policy import own_policy, policy_hosts
from postroad.service.domain_check import DkimKey, Setup
from postroad.service.keys import signing_key
from postroad.storage.keys import FileKeys
from postroad.trust.mta_sts import parse_record, write_record

_FOR_PEOPLE = {"submission": 587, "submissions": 465, "pop3": 110, "pop3s": 995}


async def own_setup(
    config: Config,
    resolver: Resolver,
    *,
    domain: str = "",
    addresses: Sequence[str] = (),
    selectors: Sequence[str] = (),
    reports_to: str = "",
) -> Setup:
    """Return our side of a domain's records. `domain` is the one whose keys count.

    `addresses` are where mail leaves from; not given, they are ``delivery.source_ipv4`` and
    ``source_ipv6``, or what the DNS says of our host name.
    """
    announced = write_record(own_policy(config))
    found = tuple(str(ipaddress.ip_address(each)) for each in addresses)
    return Setup(
        hostname=config.server.hostname,
        addresses=found or await outgoing_addresses(config, resolver),
        ports=ports_for_people(config),
        keys=_keys(config, domain),
        selectors=tuple(selectors),
        tlsa=_tlsa(config),
        chain=_chain(config),
        sts_record=announced if config.listen.mta_sts else "",
        sts_id=parse_record([announced]) or "",
        sts_hosts=policy_hosts(config),
        sts_mode=config.mta_sts.mode,
        reports_to=reports_to,
        allow_private=config.delivery.allow_private,
    )


async def outgoing_addresses(config: Config, resolver: Resolver) -> tuple[str, ...]:
    """Return the addresses that mail leaves from, as far as they can be known."""
    delivery = config.delivery
    if config.sources:
        texts = [text for pool in config.sources.values() for text in pool.addresses]
        return tuple(dict.fromkeys(read_source(text).address for text in texts))
    if delivery.source_ipv4 or delivery.source_ipv6:
        return tuple(each for each in (delivery.source_ipv4, delivery.source_ipv6) if each)
    name = delivery.helo or config.server.hostname
    answers = [await resolver.lookup(name, kind) for kind in ("A", "AAAA")]
    return tuple(record for answer in answers for record in answer.records)


def _keys(config: Config, domain: str) -> tuple[DkimKey, ...]:
    """The keys of a domain that sign, or are to."""
    now = SystemClock().now()
    try:
        stored = FileKeys(config.server.data_dir / "keys").all()
    except StorageError:
        return ()  # not ours to read: then only what is published counts
    found = [each for each in stored if each.domain == domain]
    return tuple(
        DkimKey(each.selector, signing_key(each).record(), each.state(now) is KeyState.SIGNING)
        for each in found
        if each.state(now) is not KeyState.RETIRED
    )


def ports_for_people(config: Config) -> dict[str, int]:
    """Return the usual ports of the services for people that we offer.

    Where others are bound, something in front of us leads to them.
    """
    secure = config.certificate_files is not None
    return {
        name: port
        for name, port in _FOR_PEOPLE.items()
        if config.listen.services[name] and (secure or name not in IMPLICIT_TLS_SERVICES)
    }


def _chain(config: Config) -> tuple[bytes, ...]:
    files = config.certificate_files
    try:
        loaded = x509.load_pem_x509_certificates(files[0].read_bytes()) if files else []
    except (OSError, ValueError):
        return ()
    return tuple(each.public_bytes(Encoding.DER) for each in loaded)


def _tlsa(config: Config) -> str:
    files = config.certificate_files
    try:
        facts = read_facts(files[0].read_bytes()) if files else None
    except (OSError, ValueError):
        return ""
    return "" if facts is None or facts.self_signed else facts.tlsa

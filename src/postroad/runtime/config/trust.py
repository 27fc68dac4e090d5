"""Settings of recognising senders, and of being recognised."""

import ipaddress
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from postroad.model import InvalidAddress, parse_domain
from postroad.policy.checks.recognition import DnsFailure, Networks, SpfFailure
from postroad.runtime.config.values import Octets, Seconds, Section, Strings
from postroad.trust.dmarc import Discovery, Policy


def _domains(values: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(parse_domain(value) for value in values)
    except InvalidAddress as error:
        raise ValueError(f"{error}; a list of domains is wanted") from None


def _networks(value: Any) -> Any:
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list | tuple):
        raise ValueError("a list of networks is wanted")
    found = []
    for each in value:
        try:
            found.append(ipaddress.ip_network(each))
        except ValueError as error:
            raise ValueError(
                f"{error}; networks are wanted, as '192.0.2.0/24' or '2001:db8::/32'"
            ) from None
    return tuple(found)


Domains = Annotated[Strings, AfterValidator(_domains)]
NetworkTexts = Annotated[
    Networks,
    BeforeValidator(_networks),
    PlainSerializer(lambda value: [str(each) for each in value]),
]


class TrustSection(Section):
    """Recognising who sends mail to port 25 (SPF, DKIM, ARC, DMARC), and signing what is sent from here
    (DKIM), so that others recognise us.
    """

    verify: bool = Field(
        default=True,
        description="Check mail from other servers by SPF, DKIM, ARC and DMARC, do what the author's "
        "domain asks for where nothing proves it, and write Authentication-Results.",
    )
    authserv_id: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9._-]*$",
        max_length=200,
        description="The name in Authentication-Results (RFC 8601 §2.5). Left empty: "
        "`server.hostname`. Such fields with either name are always removed from what comes in.",
    )
    received_spf: bool = Field(
        default=False, description="Write Received-SPF, too (RFC 7208 §9.1)."
    )
    relays: NetworkTexts = Field(
        default=(),
        description="Networks of servers that pass mail on to us and are believed: a second MX, a "
        "filter. Mail from there is not checked.",
    )
    enforce: bool = Field(
        default=True,
        description="Do what DMARC policies ask for: `reject` gets 550 5.7.1, `quarantine` goes to "
        "Junk. Off, it is only told in the journey.",
    )
    unenforced: Domains = Field(
        default=(),
        description="Domains of authors, with their subdomains, whose DMARC policy is only told.",
    )
    sealers: Domains = Field(
        default=(),
        description="Domains of forwarders whose ARC seals are believed: where all who sealed a message "
        "are among them, and the first saw DMARC pass, the policy is not applied.",
    )
    malformed: Policy = Field(
        default=Policy.REJECT,
        description="What is done with mail whose From names no author to rely on: none, two of them, "
        "or one that cannot be read.",
    )
    spf_failure: SpfFailure = Field(
        default=SpfFailure.ACCEPT,
        description="What follows where SPF fails, whatever DMARC says. Much forwarded mail fails SPF.",
    )
    dns_failure: DnsFailure = Field(
        default=DnsFailure.DEFER,
        description="What follows where the DNS does not answer, so that DMARC says nothing: 451, or "
        "take it.",
    )
    organizational_domain: Discovery = Field(
        default=Discovery.TREE_WALK,
        description="How DMARC finds the domain that a name belongs to: in the DNS (RFC 9989 §4.10), or "
        "by the public suffix list (RFC 7489 §3.2).",
    )
    spf_seconds: Seconds = Field(
        default=20.0,
        ge=1,
        le=60,
        description="How long the look-ups of one SPF check may take (RFC 7208 §4.6.4).",
    )
    key_seconds: Seconds = Field(
        default=10.0,
        ge=1,
        le=60,
        description="How long all keys of a message's DKIM signatures together are waited for, and all "
        "of its ARC seals; what has no answer then is a temperror.",
    )
    max_signatures: int = Field(
        default=8, ge=1, le=100, description="DKIM signatures of a message that are verified."
    )
    sign: bool = Field(
        default=True,
        description="Sign what our users and we ourselves send, for domains that have keys "
        "(`postroad key add`).",
    )
    signers: int = Field(
        default=1,
        ge=0,
        le=64,
        description="Processes that sign, of each worker; they are started where a domain has keys. 0: "
        "the server signs itself, which takes longer and holds up everything else in it. Changes come "
        "into force with a restart.",
    )
    signer_max_octets: Octets = Field(
        default=64 * 1024 * 1024,
        ge=1024 * 1024,
        le=4 * 1024 * 1024 * 1024,
        description="What may wait to be signed by one of them; more is deferred by 451. Of a message "
        "that is the header, and the body if it has at most 128 KiB.",
    )
    key_check_seconds: Seconds = Field(
        default=300.0,
        ge=1,
        le=86_400,
        description="How often the DNS is asked for the records of new keys.",
    )
    key_wait_seconds: Seconds = Field(
        default=3600.0,
        ge=0,
        le=7 * 86_400,
        description="How long a new key waits, once its record is seen, before it takes over from an "
        "older one: as long as caches may still lack the record.",
    )

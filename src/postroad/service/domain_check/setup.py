"""What we are, as far as the DNS has to tell of it, and the records that tell it."""

from collections.abc import Mapping

from msgspec import Struct

from postroad.model import StsMode
from postroad.service.domain_check.finding import Record, reverse_name

MX_PREFERENCE = 10

# RFC 6186 §3, RFC 8314 §5.1: what mail clients look for.
CLIENT_SERVICES = (
    ("submissions", "_submissions._tcp"),
    ("submission", "_submission._tcp"),
    ("pop3s", "_pop3s._tcp"),
    ("pop3", "_pop3._tcp"),
    ("imaps", "_imaps._tcp"),
    ("imap", "_imap._tcp"),
)


class DkimKey(Struct, frozen=True):
    """A key of the domain: its selector, the text of its record, and whether it signs already."""

    selector: str
    text: str
    signs: bool = True


class Setup(Struct, frozen=True):
    """Our side. `addresses` are those that mail leaves from; `ports` are the public ports of services
    for people (``submission``, ``pop3s`` …), absent where we do not serve them. `tlsa` is the data of
    the TLSA record for our certificate, empty where no authority vouches for it; `chain` are the
    certificates that we show (DER, ours first). `sts_record` announces the MTA-STS policy that we
    serve, empty where we serve none; `sts_id` is the id of our policy, whoever serves it, `sts_mode` its
    mode, and `sts_hosts` are the hosts that it names, as patterns. `selectors` are DKIM selectors to
    look for beside those of `keys`. `reports_to` gets reports; empty: postmaster.
    """

    hostname: str
    addresses: tuple[str, ...] = ()
    ports: Mapping[str, int] = {}
    keys: tuple[DkimKey, ...] = ()
    selectors: tuple[str, ...] = ()
    tlsa: str = ""
    chain: tuple[bytes, ...] = ()
    sts_record: str = ""
    sts_id: str = ""
    sts_hosts: tuple[str, ...] = ()
    sts_mode: StsMode = StsMode.NONE
    reports_to: str = ""
    allow_private: bool = False


def wanted_records(domain: str, setup: Setup) -> list[Record]:
    """Return the records for a domain whose mail comes to us, and leaves from us."""
    host = setup.hostname
    return [
        Record(domain, "MX", f"{MX_PREFERENCE} {host}"),
        *(address_record(host, each) for each in setup.addresses),
        *(Record(reverse_name(each), "PTR", host) for each in setup.addresses),
        spf_record(domain, setup),
        # Two SPF records of one name are void.
        *([helo_spf_record(setup)] if host != domain else []),
        *(dkim_record(domain, key) for key in setup.keys),
        dmarc_record(domain, setup),
        tls_report_record(domain, setup),
        *sts_records(domain, setup),
        *([Record(tlsa_name(host), "TLSA", setup.tlsa)] if setup.tlsa else []),
        *client_records(domain, setup),
    ]


def address_record(host: str, address: str) -> Record:
    """Return the A or AAAA record."""
    return Record(host, "AAAA" if ":" in address else "A", address)


def spf_record(domain: str, setup: Setup) -> Record:
    """Return an SPF record that names our addresses, which costs receivers no look-ups."""
    terms = " ".join(map(spf_term, setup.addresses)) or f"a:{setup.hostname}"
    return Record(domain, "TXT", f"v=spf1 {terms} -all")


def helo_spf_record(setup: Setup) -> Record:
    """Return the SPF record of the name in EHLO, which counts for bounces."""
    return Record(setup.hostname, "TXT", "v=spf1 a -all")


def spf_term(address: str) -> str:
    """Return the term for one address."""
    return f"ip6:{address}" if ":" in address else f"ip4:{address}"


def dkim_record(domain: str, key: DkimKey) -> Record:
    """Return the record of a key."""
    return Record(f"{key.selector}._domainkey.{domain}", "TXT", key.text)


def dmarc_record(domain: str, setup: Setup) -> Record:
    """Return a DMARC record that asks for something."""
    return Record(
        f"_dmarc.{domain}", "TXT", f"v=DMARC1; p=quarantine; rua=mailto:{_reports(domain, setup)}"
    )


def tls_report_record(domain: str, setup: Setup) -> Record:
    """Return the record that asks for TLS reports (RFC 8460 §3)."""
    return Record(
        f"_smtp._tls.{domain}", "TXT", f"v=TLSRPTv1; rua=mailto:{_reports(domain, setup)}"
    )


def sts_records(domain: str, setup: Setup) -> list[Record]:
    """Return what announces the MTA-STS policy that we serve (RFC 8461 §3.1), and where it is."""
    if not setup.sts_record:
        return []
    return [
        Record(f"_mta-sts.{domain}", "TXT", setup.sts_record),
        Record(f"mta-sts.{domain}", "CNAME", setup.hostname),
    ]


def tlsa_name(host: str) -> str:
    """Return where the TLSA record of an MX host is (RFC 7672 §2.2)."""
    return f"_25._tcp.{host}"


def client_records(domain: str, setup: Setup) -> list[Record]:
    """Return what lets mail clients find us; for a service that is not offered, a record saying so
    (RFC 6186 §3.4).
    """
    records = []
    for number, (service, label) in enumerate(CLIENT_SERVICES):
        port = setup.ports.get(service)
        # TLS from the first octet is preferred (RFC 8314 §3).
        weight = 0 if number % 2 == 0 else 10
        data = "0 0 0 ." if port is None else f"{weight} 1 {port} {setup.hostname}"
        records.append(Record(f"{label}.{domain}", "SRV", data))
    return records


def _reports(domain: str, setup: Setup) -> str:
    return setup.reports_to or f"postmaster@{domain}"

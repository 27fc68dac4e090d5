"""What a domain of the lab publishes so that links to it are secured: TLSA, an MTA-STS policy."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from postroad.lab.policies import PolicyServer
from postroad.lab.site import Site
from postroad.lab.zones import Zones
from postroad.model import StsMode
from postroad.trust.mta_sts import write_policy, write_record

_MAX_AGE_SECONDS = 86_400


def protect_by_dane(zones: Zones, domain: str, site: Site) -> None:
    """Sign a domain's zone and publish the TLSA record of its system's key (RFC 7672 §3.1.1)."""
    certificate = site.config.tls.certificate
    assert certificate is not None, "every system of a lab has a certificate"
    zones.sign(domain)
    zones.sign(site.hostname.partition(".")[2])
    name = f"_{site.config.delivery.port}._tcp.{site.hostname}"
    zones.replace(name, "TLSA", tlsa_of(certificate))


def tlsa_of(certificate: Path) -> str:
    """Return the TLSA record (3 1 1) of a PEM file's first certificate."""
    loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
    key = loaded.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"3 1 1 {hashlib.sha256(key).hexdigest()}"


def protect_by_mta_sts(
    zones: Zones, policies: PolicyServer, domain: str, mode: StsMode, hosts: Sequence[str]
) -> None:
    """Publish an MTA-STS policy: the file, the host that serves it, the record that announces it."""
    policy = policies.files[domain] = write_policy(mode, hosts, _MAX_AGE_SECONDS)
    zones.replace(f"mta-sts.{domain}", "A", policies.address)
    zones.replace(f"_mta-sts.{domain}", "TXT", write_record(policy))

"""All checks of a domain, at the same time."""

import asyncio

from postroad.ports import Resolver
from postroad.service.domain_check.clients import check_clients
from postroad.service.domain_check.finding import Finding
from postroad.service.domain_check.hosts import check_hosts
from postroad.service.domain_check.link import check_dane, check_mta_sts, check_tls_reports
from postroad.service.domain_check.sender import check_dkim, check_dmarc, check_spf_records
from postroad.service.domain_check.setup import Setup


async def check_domain(domain: str, setup: Setup, resolver: Resolver, now: float) -> list[Finding]:
    """Look at all that the DNS should say of `domain` (A-labels, lower case), at `now` in seconds since
    1970. Never raises for what it says.
    """
    checks = (
        check_hosts(domain, setup, resolver),
        check_spf_records(domain, setup, resolver),
        check_dkim(domain, setup, resolver),
        check_dmarc(domain, setup, resolver),
        check_mta_sts(domain, setup, resolver),
        check_tls_reports(domain, setup, resolver),
        check_dane(domain, setup, resolver, now),
        check_clients(domain, setup, resolver),
    )
    return [finding for found in await asyncio.gather(*checks) for finding in found]

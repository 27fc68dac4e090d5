"""What a process needs to reach others: resolver, network, remote delivery."""

from collections.abc import Iterable

from postroad.delivery import RemoteDeliverer
from postroad.delivery.sources import Classify
from postroad.delivery.tally import LinkTally
from postroad.message.bounce.classify import classify
from postroad.network import AsyncNetwork, ClientTls, DnsResolver
from postroad.ports import (
    Clock,
    ContentStore,
    Entropy,
    Ledger,
    Network,
    Resolver,
    SecurityStore,
    SourceStore,
)
from postroad.runtime import settings
from postroad.runtime.config import Config


def make_resolver(config: Config) -> DnsResolver:
    """Return the resolver that the configuration asks for."""
    return DnsResolver(settings.resolver(config))


def make_network(config: Config) -> AsyncNetwork:
    """Return the network, with the certificate authorities that the configuration names."""
    return AsyncNetwork(ClientTls(config.tls.ca_file))


def make_remote(
    config: Config,
    *,
    resolver: Resolver,
    network: Network,
    content: ContentStore,
    clock: Clock,
    entropy: Entropy,
    own_endpoints: Iterable[tuple[str, int]] = (),
    security: SecurityStore | None = None,
    ledger: Ledger | None = None,
    sources: SourceStore | None = None,
    classify: Classify = classify,
    tally: LinkTally | None = None,
) -> RemoteDeliverer:
    """Return remote delivery; without `security` and `ledger` MTA-STS is not looked at.

    Raises `OSError` or `ValueError` for a password file that is no use.
    """
    return RemoteDeliverer(
        resolver=resolver,
        network=network,
        content=content,
        clock=clock,
        entropy=entropy,
        settings=settings.remote(config, own_endpoints),
        security=security,
        ledger=ledger,
        sources=sources,
        classify=classify,
        tally=tally,
    )

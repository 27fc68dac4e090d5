"""Makes what webhooks are told by."""

import hmac

from postroad.delivery.https import Fetcher, FetchSettings
from postroad.model import DEFAULT_STREAM, Webhook
from postroad.ports import Clock, Entropy, Network, Resolver
from postroad.runtime.config import Config
from postroad.runtime.stores import Store
from postroad.service.webhook_follower import Follower, WebhookSettings
from postroad.service.webhook_post import Poster
from postroad.service.webhook_secrets import WebhookSecrets
from postroad.service.webhooks import Webhooks, follow_all

_MAX_HEAD_OCTETS = 16 * 1024  # of an answer: its body is not read


def make_webhooks(config: Config, store: Store, clock: Clock, entropy: Entropy) -> Webhooks:
    """Return what operators do with webhooks."""
    return Webhooks(
        ledger=store.ledger,
        store=store.webhooks,
        clock=clock,
        entropy=entropy,
        secrets=WebhookSecrets(hmac.digest(store.secret, b"postroad webhooks", "sha256")),
        streams=(DEFAULT_STREAM, *config.streams),
    )


def make_poster(
    config: Config, webhooks: Webhooks, clock: Clock, resolver: Resolver, network: Network
) -> Poster:
    """Return what posts."""
    limits = FetchSettings(
        max_octets=_MAX_HEAD_OCTETS,
        total_seconds=config.webhooks.request_seconds,
        allow_private=config.webhooks.allow_private,
    )
    return Poster(Fetcher(resolver, network, clock, limits), webhooks.secrets, clock)


async def run_webhooks(config: Config, store: Store, clock: Clock, poster: Poster) -> None:
    """Tell all webhooks, without end."""
    section = config.webhooks
    settings = WebhookSettings(
        at_once=section.at_once,
        max_waiting=section.max_waiting,
        max_dead=section.max_dead,
        give_up_seconds=section.give_up_seconds,
        poll_seconds=section.poll_seconds,
        probe_seconds=section.probe_seconds,
    )

    def follow(webhook: Webhook) -> Follower:
        return Follower(
            webhook,
            store=store.webhooks,
            journey=store.journey,
            queue=store.queue,
            ledger=store.ledger,
            clock=clock,
            post=poster,
            settings=settings,
        )

    await follow_all(store.webhooks, follow, section.poll_seconds)

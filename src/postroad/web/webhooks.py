"""``/api/v1/webhooks``: which web servers are told what became of mail.

A key that is bound to domains has to do with the webhooks that are told of mail from these alone.
"""

from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias

from litestar import Request, delete, get, post
from litestar.params import JSONBody, PathParameter, QueryParameter
from litestar.types import ControllerRouterHandler
from msgspec import Meta, Struct

from postroad.model import (
    ApiKey,
    ApiScope,
    InvalidAddress,
    WebhookKind,
    WebhookPost,
    parse_domain,
)
from postroad.service.webhooks import MAX_NAME, OVERLAP_SECONDS, NoWebhook, Webhooks, WebhookShown
from postroad.web.api.moment import rfc3339
from postroad.web.explore import BASE
from postroad.web.keys import SECURITY, key_of, needs
from postroad.web.problem import Problem, invalid
from postroad.web.services import Services

PATH = f"{BASE}/webhooks"
MAX_LIMIT = 1_000
MAX_OVERLAP_SECONDS = 30 * 86_400.0

_ONE = f"{PATH}/{{name:str}}"
_TAGS = ["webhooks"]

_Asked: TypeAlias = Request[Any, Any, Any]
Name: TypeAlias = Annotated[str, PathParameter(max_length=MAX_NAME)]


class NewWebhook(Struct, frozen=True, forbid_unknown_fields=True):
    """What to make. `events`, `streams` and `domains` (of senders) narrow what is told; empty: all."""

    name: Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
    url: Annotated[str, Meta(max_length=2000, description="As in https://app.example/hook.")]
    events: Annotated[list[WebhookKind], Meta(max_length=len(WebhookKind))] = []
    streams: Annotated[list[Annotated[str, Meta(max_length=32)]], Meta(max_length=100)] = []
    domains: Annotated[list[Annotated[str, Meta(max_length=255)]], Meta(max_length=1000)] = []


class Rotation(Struct, frozen=True, forbid_unknown_fields=True):
    """How long the old secret is good beside the new one, in seconds."""

    overlap_seconds: Annotated[float, Meta(ge=0, le=MAX_OVERLAP_SECONDS)] = OVERLAP_SECONDS


class Replay(Struct, frozen=True, forbid_unknown_fields=True):
    """The ids of events that were given up; empty: all of them."""

    events: Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=1000)] = []


class WebhookDetails(Struct, frozen=True):
    """A webhook; how many posts wait and how many were given up. The old secret is good until
    `old_secret_until`, null where there is none.
    """

    name: str
    url: str
    events: tuple[WebhookKind, ...]
    streams: tuple[str, ...]
    domains: tuple[str, ...]
    created_at: str
    old_secret_until: str | None
    waiting: int
    dead: int


class WebhookList(Struct, frozen=True):
    """Webhooks by name."""

    webhooks: list[WebhookDetails]


class WebhookSecret(Struct, frozen=True):
    """What posts are signed with (Standard Webhooks). It is not shown again."""

    name: str
    secret: str


class Tested(Struct, frozen=True):
    """Whether the receiver took an event of the type `test`; if not, why."""

    taken: bool
    failure: str


class DeadLetter(Struct, frozen=True):
    """A post that was given up at `dead_at`, and why; `body` is what is posted."""

    event: str
    type: WebhookKind
    dead_at: str
    tries: int
    failure: str
    body: str


class DeadLetters(Struct, frozen=True):
    """Posts that were given up, the oldest first."""

    dead: list[DeadLetter]


class Replayed(Struct, frozen=True):
    """How many posts are sent again."""

    replayed: int


def routes(services: Services) -> Sequence[ControllerRouterHandler]:
    """Return the routes."""
    return [*_keeping(services), *_trying(services)]


def _common(**more: Any) -> dict[str, Any]:
    return {
        "guards": [needs(ApiScope.SETTINGS)],
        "security": SECURITY,
        "tags": _TAGS,
        **more,
    }


def _keeping(services: Services) -> Sequence[ControllerRouterHandler]:
    webhooks = services.webhooks

    @get(PATH, **_common())
    async def list_webhooks(request: _Asked) -> WebhookList:
        """List the webhooks, with how many posts wait and how many were given up."""
        key = key_of(request)
        return WebhookList([_details(each) for each in await webhooks.all() if _of(key, each)])

    @get(_ONE, **_common())
    async def show_webhook(request: _Asked, name: Name) -> WebhookDetails:
        """Show one webhook."""
        return _details(await _get(webhooks, key_of(request), name))

    @post(PATH, **_common(status_code=201))
    async def add_webhook(request: _Asked, data: JSONBody[NewWebhook]) -> WebhookSecret:
        """Make a webhook. It is told of what happens from now on; the answer has its secret."""
        key = key_of(request)
        domains = [_domain(n, each) for n, each in enumerate(data.domains)]
        if key.domains and not domains:
            raise invalid("domains", "a key of some domains must name some of these")
        if key.domains and not set(domains) <= set(key.domains):
            raise Problem(403, "forbidden", f"the key {key.name!r} is not for all these domains")
        for n, stream in enumerate(data.streams):
            if stream not in webhooks.streams:
                raise invalid(f"streams[{n}]", f"there is no stream {stream!r}")
        hook, secret = await webhooks.add(
            data.name, data.url, kinds=data.events, streams=data.streams, domains=domains
        )
        return WebhookSecret(hook.name, secret)

    @delete(_ONE, **_common(status_code=204))
    async def remove_webhook(request: _Asked, name: Name) -> None:
        """Remove a webhook, with all that waits for it."""
        await _get(webhooks, key_of(request), name)
        await webhooks.remove(name)

    return [list_webhooks, show_webhook, add_webhook, remove_webhook]


def _trying(services: Services) -> Sequence[ControllerRouterHandler]:
    webhooks, poster = services.webhooks, services.post

    @post(f"{_ONE}/test", **_common(status_code=200))
    async def try_webhook(request: _Asked, name: Name) -> Tested:
        """Post an event of the type `test` now, and say what the receiver made of it."""
        await _get(webhooks, key_of(request), name)
        failure = await webhooks.test(name, poster)
        return Tested(not failure, failure)

    @post(f"{_ONE}/rotate", **_common(status_code=200))
    async def rotate_secret(request: _Asked, name: Name, data: JSONBody[Rotation]) -> WebhookSecret:
        """Make a new secret. Posts are signed with both, until the old one ends."""
        await _get(webhooks, key_of(request), name)
        return WebhookSecret(name, await webhooks.rotate(name, data.overlap_seconds))

    @get(f"{_ONE}/dead", **_common())
    async def list_dead(
        request: _Asked,
        name: Name,
        limit: Annotated[int, QueryParameter(ge=1, le=MAX_LIMIT)] = 100,
    ) -> DeadLetters:
        """List posts that were given up, the oldest first."""
        await _get(webhooks, key_of(request), name)
        return DeadLetters([_dead(each) for each in await webhooks.dead(name, limit)])

    @post(f"{_ONE}/replay", **_common(status_code=200))
    async def replay(request: _Asked, name: Name, data: JSONBody[Replay]) -> Replayed:
        """Send posts again that were given up: those named, or all."""
        await _get(webhooks, key_of(request), name)
        return Replayed(await webhooks.replay(name, data.events))

    return [try_webhook, rotate_secret, list_dead, replay]


def _of(key: ApiKey, found: WebhookShown) -> bool:
    """Whether a key has to do with a webhook."""
    domains = found.webhook.domains
    return not key.domains or (bool(domains) and set(domains) <= set(key.domains))


async def _get(webhooks: Webhooks, key: ApiKey, name: str) -> WebhookShown:
    """Raises `Problem` where there is none, or none that is the key's: which of both is not told."""
    missing = Problem(404, "not-found", f"there is no webhook {name!r}")
    try:
        found = await webhooks.get(name)
    except NoWebhook:
        raise missing from None
    if not _of(key, found):
        raise missing
    return found


def _details(found: WebhookShown) -> WebhookDetails:
    hook = found.webhook
    return WebhookDetails(
        hook.name,
        hook.url,
        hook.kinds,
        hook.streams,
        hook.domains,
        rfc3339(hook.created_at),
        rfc3339(hook.previous_until) if hook.previous_until else None,
        found.waiting,
        found.dead,
    )


def _dead(post: WebhookPost) -> DeadLetter:
    dead_at = rfc3339(post.dead_at)
    return DeadLetter(post.event, post.kind, dead_at, post.tries, post.failure, post.body)


def _domain(number: int, text: str) -> str:
    try:
        return parse_domain(text)
    except InvalidAddress as error:
        raise invalid(f"domains[{number}]", str(error)) from None

"""Where an address leads, asked from outside a server: the store's answer, then the DNS."""

from msgspec import Struct

from postroad.delivery.route import Router
from postroad.model import Address, Reply, Route
from postroad.network import SystemClock, SystemEntropy
from postroad.ports import Resolver, RouteFailed, StorageError
from postroad.runtime import settings
from postroad.runtime.config import Config
from postroad.runtime.office import Office
from postroad.runtime.outbound import make_resolver
from postroad.service.recipients import Target


class Lead(Struct, frozen=True):
    """One place that an address leads to: a mailbox here, or a domain with its route.

    `refusal` is the reply of every delivery where there is no way; `lookups` tell what was asked.
    """

    address: Address
    mailbox: int | None
    route: Route | None = None
    refusal: Reply | None = None
    lookups: tuple[str, ...] = ()


class Found(Struct, frozen=True):
    """What is known about an address. `refusal` is what RCPT would be answered.

    `store` says why the store was not asked, ``""`` where it was.
    """

    address: Address
    leads: tuple[Lead, ...]
    refusal: Reply | None = None
    store: str = ""


async def look_up(config: Config, address: Address, resolver: Resolver | None = None) -> Found:
    """Find out where mail for `address` would go, as a server of `config` would. Never sends any."""
    targets, why_not = await _targets(config, address)
    if isinstance(targets, Reply):
        return Found(address, (), targets, why_not)
    asked = resolver or make_resolver(config)
    router = Router(asked, SystemClock(), SystemEntropy(), settings.remote(config))
    leads = [
        Lead(each.address, each.mailbox) if each.is_local else await _remote(router, each)
        for each in targets
    ]
    return Found(address, tuple(leads), None, why_not)


async def _targets(config: Config, address: Address) -> tuple[tuple[Target, ...] | Reply, str]:
    outside = (Target(address, address, address.domain, None),)
    path = config.server.data_dir
    try:
        if not path.exists():
            return outside, f"there is no store in {path}"
        async with Office.open(config) as office:
            return await office.recipients.resolve(address), ""
    except (StorageError, PermissionError) as error:
        return outside, str(error)


async def _remote(router: Router, target: Target) -> Lead:
    try:
        route = await router.route(target.destination)
    except RouteFailed as error:
        steps = tuple(step.text for step in error.steps)
        return Lead(target.address, None, None, error.reply, steps)
    return Lead(target.address, None, route, None, route.lookups)

"""Where an address leads, asked from outside a server: the store's answer, then the DNS."""

from msgspec import Struct

from postroad.delivery.demand import Demand, Demands
from postroad.delivery.remote import make_policies
from postroad.delivery.route import Router
from postroad.model import Address, Reply, Route
from postroad.network import SystemClock, SystemEntropy
from postroad.ports import Resolver, RouteFailed, StorageError
from postroad.runtime import settings
from postroad.runtime.config import Config
from postroad.runtime.office import Office
from postroad.runtime.outbound import make_network, make_resolver
from postroad.service.recipients import Target
from postroad.storage.memory import MemoryStore


class Lead(Struct, frozen=True):
    """One place that an address leads to: a mailbox here, or a domain with its route.

    `refusal` is the reply of every delivery where there is no way; `lookups` tell what was asked.
    `demands` are the rules that links to the hosts of the route would be under, in their order.
    `ours`: it is taken here, into a mailbox or as what came back about mail of ours.
    """

    address: Address
    mailbox: int | None
    route: Route | None = None
    refusal: Reply | None = None
    lookups: tuple[str, ...] = ()
    demands: tuple[Demand, ...] = ()
    ours: bool = False


class Found(Struct, frozen=True):
    """What is known about an address. `refusal` is what RCPT would be answered.

    `store` says why the store was not asked, ``""`` where it was.
    """

    address: Address
    leads: tuple[Lead, ...]
    refusal: Reply | None = None
    store: str = ""


async def look_up(config: Config, address: Address, resolver: Resolver | None = None) -> Found:
    """Find out where mail for `address` would go, as a server of `config` would that has kept no
    MTA-STS policies. Never sends any, and changes nothing in the store.
    """
    targets, why_not = await _targets(config, address)
    if isinstance(targets, Reply):
        return Found(address, (), targets, why_not)
    asked = resolver or make_resolver(config)
    told = settings.remote(config)
    clock, nothing = SystemClock(), MemoryStore()
    policies = None
    if told.mta_sts:
        network = make_network(config)
        policies = make_policies(asked, network, nothing.security, nothing.ledger, clock, told)
    router = Router(asked, clock, SystemEntropy(), told, policies)
    demands = Demands(asked, told)
    leads = [
        Lead(each.address, each.mailbox, ours=True)
        if each.is_ours
        else await _remote(router, demands, each)
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


async def _remote(router: Router, demands: Demands, target: Target) -> Lead:
    try:
        route = await router.route(target.destination)
    except RouteFailed as error:
        steps = tuple(step.text for step in error.steps)
        return Lead(target.address, None, None, error.reply, steps)
    rules = tuple([await demands.of(route, host) for host in route.hosts])
    asked = tuple(line for rule in rules for line in rule.lines)
    return Lead(target.address, None, route, None, (*route.lookups, *asked), rules)

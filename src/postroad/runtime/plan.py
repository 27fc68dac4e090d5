"""What would become of a message, told beforehand: for each recipient its way, what waits there, whether
it fits, and what receivers will say of its sender. Nothing is sent and nothing is stored.
"""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from postroad.delivery.connect import Connector
from postroad.delivery.demand import Demands
from postroad.delivery.route import Router
from postroad.message.header import Header, header_end
from postroad.model import DEFAULT_STREAM, Address, DeliveryState, Reply, Route, RouteKind
from postroad.network import SystemClock, SystemEntropy
from postroad.ports import Clock, Network, QueueFilter, Resolver, RouteFailed, StorageError
from postroad.runtime import settings
from postroad.runtime.config import Config
from postroad.runtime.leaving import leaving
from postroad.runtime.lookup import Found, Lead, look_up
from postroad.runtime.office import Office
from postroad.runtime.outbound import make_network
from postroad.runtime.own_setup import outgoing_addresses
from postroad.service.preview import Preview, preview
from postroad.service.signatory import SignsHere
from postroad.service.signing import KeyRing, Signing
from postroad.storage.keys import FileKeys

_MAX_COUNTED = 1000
_MAX_ADDRESSES = 4


class Traits(Struct, frozen=True):
    """What a message needs. `octets` is its size as sent; `eight_bit`: octets over 127 in the body;
    `utf8_header`: such octets in the header, which needs SMTPUTF8 (RFC 6531 §3.2).
    """

    octets: int
    eight_bit: bool
    utf8_header: bool


class Probe(Struct, frozen=True):
    """What the first server that took our connection says: in words where none did."""

    host: str = ""
    tls: str | None = None
    max_octets: int | None = None
    extensions: tuple[str, ...] = ()
    failure: str = ""


class Waiting(Struct, frozen=True):
    """What is in the queue for the same destination; `next_at` is when one of it is due, `last` what
    the destination said last, `failing` whether one of it was tried in vain.
    """

    deliveries: int = 0
    held: int = 0
    failing: int = 0
    next_at: float | None = None
    last: Reply | None = None


class Security(Struct, frozen=True):
    """The rule for the link to one host: `policy` is ``dane``, ``opportunistic`` …; `required`: nothing
    is sent in clear; `refusal` says why the host would not be used at all.
    """

    host: str
    policy: str
    required: bool
    refusal: str = ""


class Leg(Struct, frozen=True):
    """One place that a recipient leads to. `problems` say why it would fail; `notes` what is to be known
    besides; `expected` says when it would be there; `links` how each host's link would be secured.
    """

    recipient: Address
    lead: Lead
    expected: str
    waiting: Waiting = Waiting()
    probe: Probe | None = None
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    links: tuple[Security, ...] = ()

    @property
    def put_off(self) -> bool:
        """Whether it would wait: what is in the queue for the same place is tried in vain."""
        return bool(self.waiting.failing)


class Plan(Struct, frozen=True):
    """The whole forecast. `refused` are recipients that RCPT would refuse; `problems` concern all.
    `return_path` is what it would leave under (with a mark), None for the sender.
    """

    sender: Address | None
    traits: Traits
    legs: tuple[Leg, ...]
    refused: tuple[tuple[Address, Reply], ...]
    previews: tuple[Preview, ...]
    problems: tuple[str, ...]
    store: str = ""
    stream: str = DEFAULT_STREAM
    return_path: Address | None = None

    @property
    def fails(self) -> bool:
        """Whether something would not arrive."""
        return bool(
            self.problems
            or self.refused
            or any(leg.problems for leg in self.legs)
            or any(leg.links and all(each.refusal for each in leg.links) for leg in self.legs)
            or any(each.fails for each in self.previews)
        )

    @property
    def put_off(self) -> bool:
        """Whether something would not arrive soon."""
        return any(leg.put_off for leg in self.legs)


def traits_of(message: bytes, addresses: Sequence[Address | None]) -> Traits:
    """Return what a message with these addresses in its envelope needs."""
    end = header_end(message)
    end = len(message) if end < 0 else end
    ascii_addresses = all(each is None or each.is_ascii for each in addresses)
    return Traits(
        octets=len(message),
        eight_bit=not message[end:].isascii(),
        utf8_header=not message[:end].isascii() or not ascii_addresses,
    )


async def make_plan(
    config: Config,
    message: bytes,
    sender: Address | None,
    recipients: Sequence[Address],
    *,
    resolver: Resolver,
    addresses: Sequence[str] = (),
    probe: bool = False,
    network: Network | None = None,
    clock: Clock | None = None,
) -> Plan:
    """Say what a server of `config` would do with `message` (CRLF), and what would come of it.

    `addresses` are those that mail leaves from, if they are not those of the configuration. With
    `probe`, servers are connected to and greeted, and nothing more.
    """
    clock = clock or SystemClock()
    traits = traits_of(message, [sender, *recipients])
    found = [await look_up(config, each, resolver) for each in recipients]
    waiting = await _waiting(config, found)
    prober = _Prober(config, network or make_network(config), resolver, clock) if probe else None
    leads = [lead.address for each in found for lead in each.leads]
    left = await leaving(config, sender, leads)
    legs = [
        _spared(
            replace(
                await _leg(each, lead, traits, waiting, prober, clock.now()), links=_links(lead)
            ),
            left.spared.get(lead.address),
        )
        for each in found
        for lead in each.leads
    ]
    previews: list[Preview] = []
    if any(_reaches_by_mx(leg.lead.route) for leg in legs):
        helo = config.delivery.helo or config.server.hostname
        signed = await _signed(config, message, sender, clock)
        outgoing = tuple(addresses) or await outgoing_addresses(config, resolver)
        previews = [
            await preview(
                signed,
                left.return_path or sender,
                address=one,
                helo=helo,
                resolver=resolver,
                now=clock.now(),
            )
            for one in outgoing[:_MAX_ADDRESSES]
        ]
    return Plan(
        sender,
        traits,
        tuple(legs),
        tuple((each.address, each.refusal) for each in found if each.refusal is not None),
        tuple(previews),
        tuple(_own_limits(config, message, traits)),
        next((each.store for each in found if each.store), ""),
        left.stream,
        left.return_path,
    )


def _spared(leg: Leg, refusal: Reply | None) -> Leg:
    if refusal is None:
        return leg
    never = "never: it would come back at once"
    return replace(leg, expected=never, problems=(*leg.problems, str(refusal)))


async def _signed(config: Config, message: bytes, sender: Address | None, clock: Clock) -> bytes:
    """The message with the signatures that it would get here, where keys can be read."""
    if not config.trust.sign or sender is None:
        return message
    ring = KeyRing(FileKeys(config.server.data_dir / "keys"), clock)
    signing = Signing(ring, SignsHere(), clock)
    return await signing.sign_whole(message, sender.domain, own=True) + message


def _own_limits(config: Config, message: bytes, traits: Traits) -> list[str]:
    limits = config.limits
    problems = []
    if traits.octets > limits.max_message_octets:
        problems.append(
            f"it has {traits.octets} octets, and limits.max_message_octets is "
            f"{limits.max_message_octets}: we would refuse it (552 5.3.4)"
        )
    end = header_end(message)
    if end > limits.max_header_octets:
        problems.append(
            f"its header has {end} octets, and limits.max_header_octets is "
            f"{limits.max_header_octets}"
        )
    header = Header.parse(message)
    if header.count("from") != 1:
        problems.append(f"it has {header.count('from')} From fields, and must have one")
    return problems


def _links(lead: Lead) -> tuple[Security, ...]:
    """How the links to the hosts would be secured: by the settings, DANE or MTA-STS."""
    hosts = lead.route.hosts if lead.route is not None else ()
    return tuple(
        Security(
            host.name,
            demand.policy.value,
            demand.required,
            demand.refusal.text if demand.refusal is not None else "",
        )
        for host, demand in zip(hosts, lead.demands, strict=True)
        if host.addresses
    )


async def _leg(
    found: Found,
    lead: Lead,
    traits: Traits,
    waiting: dict[str, Waiting],
    prober: "_Prober | None",
    now: float,
) -> Leg:
    queued = waiting.get("local" if lead.ours else lead.address.domain, Waiting())
    if lead.ours:
        return Leg(found.address, lead, "at once", queued)
    if lead.refusal is not None:
        if lead.refusal.transient:
            expected = "put off, and tried again until it is too old"
        else:
            expected = "never: it would come back at once"
        return Leg(found.address, lead, expected, queued, problems=(str(lead.refusal),))
    assert lead.route is not None, "a lead that is not local has a route or a refusal"
    problems: list[str] = []
    notes: list[str] = []
    if not any(host.addresses for host in lead.route.hosts):
        problems.append("none of its hosts has a usable address")
    probed = None
    if prober is not None and not problems:
        probed = await prober.ask(lead.route)
        _judge_probe(probed, traits, problems, notes)
    elif traits.utf8_header:
        notes.append("it needs SMTPUTF8; whether the server has it, only --probe can tell")
    if lead.route.kind is RouteKind.SMARTHOST:
        notes.append("SPF will be that of the smarthost's address")
    return Leg(
        found.address,
        lead,
        _expected(queued, now),
        queued,
        probed,
        tuple(problems),
        tuple(notes),
    )


def _judge_probe(probe: Probe, traits: Traits, problems: list[str], notes: list[str]) -> None:
    if probe.failure:
        problems.append(probe.failure)
        return
    if probe.max_octets is not None and traits.octets > probe.max_octets:
        problems.append(f"{probe.host} takes {probe.max_octets} octets, it has {traits.octets}")
    if traits.utf8_header and "SMTPUTF8" not in probe.extensions:
        problems.append(f"{probe.host} has no SMTPUTF8, which it needs")
    if traits.eight_bit and "8BITMIME" not in probe.extensions:
        notes.append(f"{probe.host} does not offer 8BITMIME; the octets are sent as they are")
    if probe.tls is None:
        notes.append(f"{probe.host} has no TLS: everybody on the way can read it")


def _expected(waiting: Waiting, now: float) -> str:
    if waiting.failing:
        when = "soon"
        if waiting.next_at is not None and waiting.next_at > now:
            when = f"in about {waiting.next_at - now:.0f} s"
        return f"put off: the destination does not take mail at present; next try {when}"
    if waiting.deliveries:
        return f"behind {waiting.deliveries} deliveries to the same place"
    return "at once"


def _reaches_by_mx(route: Route | None) -> bool:
    return route is not None and route.kind is RouteKind.MX


async def _waiting(config: Config, found: Sequence[Found]) -> dict[str, Waiting]:
    """What waits, by destination; nothing where there is no store."""
    domains = {lead.address.domain for each in found for lead in each.leads if not lead.ours}
    if not domains or any(each.store for each in found):
        return {}
    try:
        async with Office.open(config) as office:
            return {domain: await _waiting_for(office, domain) for domain in domains}
    except (StorageError, PermissionError):
        return {}


async def _waiting_for(office: Office, domain: str) -> Waiting:
    items = await office.desk.list(QueueFilter(destination=domain, limit=_MAX_COUNTED))
    deliveries = [each.delivery for each in items]
    active = [each for each in deliveries if each.state is not DeliveryState.HELD]
    failing = [each for each in active if each.attempts]
    newest = max(failing, key=lambda each: each.attempts, default=None)
    return Waiting(
        deliveries=len(active),
        held=len(deliveries) - len(active),
        failing=len(failing),
        next_at=min((each.due_at for each in failing), default=None),
        last=newest.last if newest is not None else None,
    )


class _Prober:
    """Connects as a delivery would, greets, and leaves."""

    def __init__(self, config: Config, network: Network, resolver: Resolver, clock: Clock) -> None:
        told = settings.remote(config)
        router = Router(resolver, clock, SystemEntropy(), told)
        self._connector = Connector(network, clock, router, Demands(resolver, told), told)
        self._known: dict[str, Probe] = {}

    async def ask(self, route: Route) -> Probe:
        """Return what the route's first server says; each route is asked once."""
        if route.key not in self._known:
            self._known[route.key] = await self._ask(route)
        return self._known[route.key]

    async def _ask(self, route: Route) -> Probe:
        try:
            link = await self._connector.open(route)
        except RouteFailed as error:
            return Probe(failure=str(error.reply))
        probe = Probe(
            host=link.where,
            tls=link.taken.tls,
            max_octets=link.max_size,
            extensions=tuple(sorted(link.machine.extensions)),
        )
        await link.dialogue.quit()
        return probe

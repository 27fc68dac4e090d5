"""Makes what people see of their own mail in a browser: pages, roads, and how safe the ways are."""

import hmac

from msgspec import Struct

from postroad.delivery.demand import Demand, Demands
from postroad.delivery.pictures import Pictures, PictureSettings
from postroad.delivery.remote import make_policies
from postroad.delivery.route import Router
from postroad.message.display import DisplayLimits
from postroad.model import RouteKind
from postroad.ports import Network, Resolver
from postroad.runtime import settings
from postroad.runtime.config import Config
from postroad.runtime.office import Office
from postroad.service.display import Display, DisplaySettings
from postroad.service.jmap import Jmap
from postroad.service.reach import Reach, ReachSettings, Ways
from postroad.service.road import Roads


class Personal(Struct, frozen=True):
    """What the routes for people call."""

    display: Display
    roads: Roads
    reach: Reach


def make_personal(
    office: Office, jmap: Jmap | None, resolver: Resolver, network: Network
) -> Personal | None:
    """Return it, None where JMAP is off: without it no email has an id."""
    if jmap is None:
        return None
    return Personal(
        make_display(office, jmap, resolver, network),
        Roads(jmap.desk, office.store.journey, settings.authserv_id(office.config)),
        make_reach(office, resolver, network),
    )


def make_display(office: Office, jmap: Jmap, resolver: Resolver, network: Network) -> Display:
    """Return what shows emails."""
    shown, limits = display_settings(office.config)
    return Display(
        jmap.desk,
        office.store.directory,
        Pictures(resolver, network, office.clock, limits),
        hmac.digest(office.store.secret, b"postroad pictures", "sha256"),
        shown,
    )


def make_reach(office: Office, resolver: Resolver, network: Network) -> Reach:
    """Return what tells how safe ways are: by the rules of delivery, and the policies that it keeps."""
    told, clock, store = settings.remote(office.config), office.clock, office.store
    policies = None
    if told.mta_sts:
        policies = make_policies(resolver, network, store.security, store.ledger, clock, told)
    router = Router(resolver, clock, office.entropy, told, policies)
    demands = Demands(resolver, told)

    async def of(destination: str) -> tuple[RouteKind, list[Demand]]:
        route = await router.route(destination)
        return route.kind, [await demands.of(route, host) for host in route.hosts]

    section = office.config.reach
    limits = ReachSettings(
        max_recipients=section.max_recipients,
        total_seconds=section.total_seconds,
        remember_seconds=section.remember_seconds,
        at_once=section.at_once,
    )
    return Reach(office.recipients, Ways(of), clock, limits)


def display_settings(config: Config) -> tuple[DisplaySettings, PictureSettings]:
    """Return what showing is told, and what fetching pictures is."""
    section = config.display
    shown = DisplaySettings(
        limits=DisplayLimits(max_octets=section.max_octets, max_tags=section.max_tags),
        max_picture_octets=section.max_picture_octets,
        max_pixels=section.max_picture_pixels,
        link_seconds=section.link_seconds,
        at_once=section.at_once,
        remote=section.remote_pictures,
    )
    fetched = PictureSettings(
        max_octets=section.max_picture_octets,
        max_pixels=section.max_picture_pixels,
        total_seconds=section.picture_seconds,
        max_redirects=section.max_redirects,
        allow_private=section.allow_private,
    )
    return shown, fetched

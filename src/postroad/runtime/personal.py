"""Makes what people see of their own mail in a browser: pages, roads, and how safe the ways are."""

import hmac

from msgspec import Struct

from postroad.delivery.pictures import Pictures, PictureSettings
from postroad.message.display import DisplayLimits
from postroad.ports import Network, Resolver
from postroad.runtime.config import Config
from postroad.runtime.office import Office
from postroad.service.display import Display, DisplaySettings
from postroad.service.jmap import Jmap


class Personal(Struct, frozen=True):
    """What the routes for people call."""

    display: Display


def make_personal(
    office: Office, jmap: Jmap | None, resolver: Resolver, network: Network
) -> Personal | None:
    """Return it, None where JMAP is off: without it no email has an id."""
    if jmap is None:
        return None
    return Personal(make_display(office, jmap, resolver, network))


def make_display(office: Office, jmap: Jmap, resolver: Resolver, network: Network) -> Display:
    """Return what shows emails."""
    settings, limits = display_settings(office.config)
    return Display(
        jmap.desk,
        office.store.directory,
        Pictures(resolver, network, office.clock, limits),
        hmac.digest(office.store.secret, b"postroad pictures", "sha256"),
        settings,
    )


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

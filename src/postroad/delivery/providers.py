"""Who runs the servers of a route: the roll-up of destinations that throttles and caps are about."""

import ipaddress
from collections.abc import Sequence

from postroad.delivery.settings import Provider
from postroad.message.bounce.classify import built_in
from postroad.model import Host

_SHORT = 3  # of "co.uk": labels as short as these are no names


def provider_of(hosts: Sequence[Host], known: Sequence[Provider]) -> str:
    """Return the name of the first of `known` that has the best host; else who is known to the rules of
    bounces, in lower case; else the host's domain, or its address. ``""`` where there is no host.
    """
    if not hosts:
        return ""
    name = hosts[0].name.lower()
    for provider in known:
        if any(name == each or name.endswith(f".{each}") for each in provider.hosts):
            return provider.name
    well_known = built_in().provider(name)
    if well_known:
        return well_known.lower().replace(" ", "-")
    return _domain(name)


def limits_of(name: str, known: Sequence[Provider]) -> Provider | None:
    """Return what is set for a provider, None where nothing is."""
    return next((each for each in known if each.name == name), None)


def _domain(name: str) -> str:
    """The last two labels, or three under what looks like ``co.uk``. Near enough for counting."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        labels = name.split(".")
    short = len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= _SHORT
    return ".".join(labels[-3 if short else -2 :])

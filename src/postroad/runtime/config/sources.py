"""Settings of how fast and from where mail leaves: source addresses, warm-up plans, providers."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, Field

from postroad.delivery.settings import Source
from postroad.model import InvalidAddress, parse_domain
from postroad.runtime.config.values import Section, Strings

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_EPOCH = date(1970, 1, 1)
_T = TypeVar("_T")


def _sources(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        read_source(value)
    return values


def read_source(text: str) -> Source:
    """Read ``192.0.2.1``, ``192.0.2.1 mail1.example.org`` or with a date (``2026-11-25``) behind.

    Raises `ValueError` in words.
    """
    words = text.split()
    if not 1 <= len(words) <= 3:
        raise ValueError(f"{text!r}: write an address, the name it says in EHLO and a date")
    try:
        address = str(ipaddress.ip_address(words[0]))
    except ValueError:
        raise ValueError(f"{text!r} does not begin with an IP address") from None
    try:
        helo = parse_domain(words[1]) if len(words) > 1 else ""
    except InvalidAddress as error:
        raise ValueError(f"{text!r}: {words[1]!r} is no host name: {error}") from None
    try:
        since = date.fromisoformat(words[2]) if len(words) > 2 else _EPOCH
    except ValueError:
        raise ValueError(f"{text!r}: {words[2]!r} is no date like 2026-11-25") from None
    return Source(address, helo, (since - _EPOCH).days)


def _steps(values: tuple[str, ...]) -> tuple[str, ...]:
    plan = [read_step(value) for value in values]
    days = [day for day, _ in plan]
    if days != sorted(set(days)):
        raise ValueError("the days of a plan must rise")
    if days and days[0] != 0:
        raise ValueError(f"{values[0]!r}: the first step must begin with day 0")
    return values


def read_step(text: str) -> tuple[int, int]:
    """Read ``3:200``: from the third day on 200 a day. Raises `ValueError` in words."""
    days, colon, cap = text.partition(":")
    if not (colon and days.strip().isdecimal() and cap.strip().isdecimal()):
        raise ValueError(f"{text!r} is no step of a plan; write days:cap, as in '3:200'")
    if not 1 <= int(cap) <= 100_000_000 or int(days) > 10_000:
        raise ValueError(f"{text!r}: a cap is 1 to 100 000 000, days are at most 10 000")
    return int(days), int(cap)


def _hosts(values: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(parse_domain(value) for value in values)
    except InvalidAddress as error:
        raise ValueError(str(error)) from None


class SourcesSection(Section):
    """Addresses of this machine that mail leaves from, in turn. An address that a provider blocks comes
    last there for a while (`delivery.block_seconds`).
    """

    addresses: Annotated[Strings, AfterValidator(_sources)] = Field(
        min_length=1,
        max_length=256,
        description="Each as `address`, `address name` or `address name date`: the name is what it says "
        "in EHLO (which its PTR record should name, too), the date is when its warm-up began.",
    )
    warmup: str = Field(
        default="",
        description="The plan (`[warmups.NAME]`) of those addresses that have a date.",
    )


class WarmupSection(Section):
    """How much a new address may send: a cap of recipients a day (UTC) at each provider. What is over
    it waits for the next day, and its journey says so.
    """

    caps: Annotated[Strings, AfterValidator(_steps)] = Field(
        min_length=1,
        max_length=1000,
        description='Steps as `days:cap` in order, as in `["0:50", "3:200", "14:5000"]`: days since the '
        "address's date, and the cap from then on. Behind the last step it stays.",
    )


class ProviderSection(Section):
    """Who runs many domains' mail servers, and what they get of us. All destinations whose best MX host
    is theirs count together; several worker processes share it evenly.
    """

    hosts: Annotated[Strings, AfterValidator(_hosts)] = Field(
        min_length=1,
        max_length=1000,
        description="Names that their MX hosts have or end in, like `google.com`.",
    )
    per_minute: int = Field(
        default=0, ge=0, le=10_000_000, description="Messages a minute. 0: no limit."
    )
    concurrency: int = Field(
        default=0, ge=0, le=100_000, description="Connections at once. 0: no limit of their own."
    )
    messages_per_connection: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="Messages over one connection. 0: as `delivery.messages_per_connection`.",
    )


def _named(kind: str) -> Callable[[dict[str, _T]], dict[str, _T]]:
    def check(values: dict[str, _T]) -> dict[str, _T]:
        for name in values:
            if not _NAME.fullmatch(name):
                raise ValueError(
                    f"{name!r} is no name of {kind}: these are of a-z, 0-9, '.', '-' and '_'"
                )
        return values

    return check


SourcePools = Annotated[dict[str, SourcesSection], AfterValidator(_named("a pool"))]
Warmups = Annotated[dict[str, WarmupSection], AfterValidator(_named("a plan"))]
Providers = Annotated[dict[str, ProviderSection], AfterValidator(_named("a provider"))]


def unknown_names(
    pools: Mapping[str, SourcesSection],
    warmups: Mapping[str, WarmupSection],
    used: Mapping[str, Any],
) -> str:
    """Return what is wrong where a setting names a pool or plan that there is not; `used` are pools by
    the setting that names them.
    """
    for setting, pool in used.items():
        if pool and pool not in pools:
            return f"{setting} is {pool!r}, and there is no [sources.{pool}]"
    for name, section in pools.items():
        if section.warmup and section.warmup not in warmups:
            return f"sources.{name}.warmup is {section.warmup!r}, and there is no such [warmups.…]"
    return ""

"""The use cases that the routes of the console may call, beside those of the API."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from postroad.model import Account, Address, ApiKey, ApiScope
from postroad.ports import Clock
from postroad.queue.look import QueueLook
from postroad.service.accounts import Accounts
from postroad.service.api_keys import ApiKeys
from postroad.service.bulk import Bulk
from postroad.service.desk import QueueDesk
from postroad.service.domain_check import Finding, Proposal
from postroad.service.domains import Aliases, Domains
from postroad.service.figures import Figures
from postroad.service.journeys import Classify, Journeys
from postroad.service.keys import Keys
from postroad.service.reports import Reports
from postroad.service.templates import Templates
from postroad.service.why import Why

BASE = "/api/v1/console"


class StreamShown(Struct, frozen=True):
    """A stream of the configuration: its name, and the settings that it has of its own."""

    name: str
    kind: str
    keeps_list: bool
    settings: Mapping[str, Any]


class ConsoleDesk(Struct, frozen=True):
    """Add a field for what a route needs; `runtime.console` fills it.

    `looks` are how the queues of all processes stand, `overview` is what ``postroad top`` shows,
    `health` what there is to say of the server itself; `check` and `records` are about a domain's
    records in the DNS. `reports_to` is the address at which reports arrive, ``""`` where that is not
    known.
    """

    clock: Clock
    figures: Figures
    desk: QueueDesk
    bulk: Bulk
    journeys: Journeys
    why: Why
    classify: Classify
    domains: Domains
    aliases: Aliases
    accounts: Accounts
    signing_keys: Keys
    api_keys: ApiKeys
    reports: Reports
    templates: Templates
    looks: Callable[[], Sequence[QueueLook]]
    overview: Callable[[], Awaitable[Struct]]
    health: Callable[[], Awaitable[Sequence[Finding]]]
    check: Callable[[str], Awaitable[Sequence[Finding]]]
    records: Callable[[str], Awaitable[Proposal]]
    streams: tuple[StreamShown, ...] = ()
    reports_to: str = ""


def key_of_operator(account: Account) -> ApiKey:
    """Return what an operator counts as where the API asks for a key: it is good for everything."""
    return ApiKey(0, words_of_operator(account.address), tuple(ApiScope), (), b"", 0.0)


def words_of_operator(address: Address) -> str:
    """Return whom the journey and lists name for what an operator did."""
    return str(address)

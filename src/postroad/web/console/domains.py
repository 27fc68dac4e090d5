"""Domains: what is local, what the DNS says of it, what to publish, and the keys that sign."""

from collections.abc import Sequence
from typing import Annotated

from litestar import delete, get, post
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler
from msgspec import Meta, Struct

from postroad.service.domain_check import Finding, Level, Record
from postroad.web.console.asked import address_in, common, domain_in
from postroad.web.console.desk import BASE, ConsoleDesk
from postroad.web.problem import Problem, invalid

Name = Annotated[str, Meta(max_length=255)]


class DomainRow(Struct, frozen=True):
    """A local domain, with how many accounts, aliases and keys (that sign, or are to) it has."""

    name: str
    catch_all: str
    subaddress: str
    accounts: int
    aliases: int
    keys: int


class DomainRows(Struct, frozen=True):
    """By name."""

    domains: list[DomainRow]


class NewDomain(Struct, frozen=True, forbid_unknown_fields=True):
    """What to make; `subaddress` is the sign between user and tag, ``""`` for none."""

    name: Name
    catch_all: Annotated[str, Meta(max_length=330)] = ""
    subaddress: Annotated[str, Meta(max_length=1)] = "+"


class RecordShown(Struct, frozen=True):
    """A record to publish; `line` is that of a zone file."""

    name: str
    type: str
    data: str
    line: str


class FindingShown(Struct, frozen=True):
    """What was looked at, how bad it is, why that matters, and what to publish."""

    topic: str
    level: Level
    text: str
    why: str
    records: list[RecordShown]


class Findings(Struct, frozen=True):
    """In the order of the checks."""

    findings: list[FindingShown]


class Records(Struct, frozen=True):
    """All records of a domain; `unknown` says what could not be asked for."""

    records: list[RecordShown]
    unknown: list[str]


class SigningKeyRow(Struct, frozen=True):
    """A key that signs mail of a domain, or did, or will."""

    selector: str
    algorithm: str
    state: str
    made_at: float


class SigningKeys(Struct, frozen=True):
    """By age."""

    keys: list[SigningKeyRow]


def routes(desk: ConsoleDesk) -> Sequence[ControllerRouterHandler]:
    """Return the routes."""
    one = f"{BASE}/domains/{{name:str}}"

    async def known(text: str) -> str:
        name = domain_in("name", text)
        if await desk.domains.get(name) is None:
            raise Problem(404, "not-found", f"{name} is no domain of this server")
        return name

    @get(f"{BASE}/domains", **common())
    async def list_domains() -> DomainRows:
        """List local domains."""
        accounts = [each.address.domain for each in await desk.accounts.list()]
        aliases = [each.address.domain for each in await desk.aliases.list()]
        keys = [each.domain for each in desk.signing_keys.all()]
        return DomainRows(
            [
                DomainRow(
                    each.name,
                    str(each.catch_all or ""),
                    each.subaddress,
                    accounts.count(each.name),
                    aliases.count(each.name),
                    keys.count(each.name),
                )
                for each in await desk.domains.list()
            ]
        )

    @post(f"{BASE}/domains", **common(status_code=201))
    async def add_domain(data: JSONBody[NewDomain]) -> None:
        """Make a domain local."""
        catch_all = address_in("catch_all", data.catch_all) if data.catch_all else None
        name = domain_in("name", data.name)
        if data.subaddress and not data.subaddress.isprintable():
            raise invalid("subaddress", "is one sign that can be printed")
        await desk.domains.add(name, catch_all=catch_all, subaddress=data.subaddress)

    @delete(one, **common(status_code=204))
    async def remove_domain(name: FromPath[str]) -> None:
        """Remove a domain that has no accounts."""
        await desk.domains.remove(await known(name))

    @get(f"{one}/check", **common())
    async def check(name: FromPath[str]) -> Findings:
        """Ask the DNS all that other servers ask of it."""
        return Findings([finding_shown(each) for each in await desk.check(await known(name))])

    @get(f"{one}/records", **common())
    async def records(name: FromPath[str]) -> Records:
        """All that is to be published of it."""
        proposal = await desk.records(await known(name))
        return Records([_record(each) for each in proposal.records], list(proposal.unknown))

    @get(f"{one}/keys", **common())
    async def list_keys(name: FromPath[str]) -> SigningKeys:
        """The keys that sign its mail."""
        now = desk.clock.now()
        return SigningKeys(
            [
                SigningKeyRow(each.selector, each.algorithm, each.state(now).value, each.created_at)
                for each in desk.signing_keys.all(await known(name))
            ]
        )

    @post(f"{one}/keys", **common(status_code=201))
    async def add_keys(name: FromPath[str]) -> None:
        """Make its first keys, or successors of those that sign."""
        domain = await known(name)
        if desk.signing_keys.all(domain):
            await desk.signing_keys.rotate(domain)
        else:
            await desk.signing_keys.add(domain)

    return [list_domains, add_domain, remove_domain, check, records, list_keys, add_keys]


def finding_shown(found: Finding) -> FindingShown:
    """Return a finding with its records as they are copied."""
    records = [_record(each) for each in found.records]
    return FindingShown(found.topic, found.level, found.text, found.why, records)


def _record(record: Record) -> RecordShown:
    return RecordShown(record.name, record.type, record.data, record.zone_line())

"""What the reply of another server means, by rules that people can read (`rules.toml`).

Codes are not enough: 550 5.7.1 stands for a missing mailbox, a blocked address and a policy alike. So
the words are looked at, too. A reply that no rule knows is `Category.UNKNOWN`.
"""

import re
import tomllib
from collections.abc import Iterable, Sequence
from enum import Enum
from functools import cache, lru_cache
from importlib.resources import files
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from postroad.message.bounce.delivery_status import status_in
from postroad.model import InvalidReply, Reply

MAX_TEXT = 1_000
MAX_RULES = 1_000
MAX_PATTERN = 1_000

_SPACE = re.compile(r"\s+")
_ADDRESS = re.compile(r"[^\s<>\"]{1,64}@[^\s<>\"]{1,255}")
_CODE = re.compile(r"(?<![\d.#])([245]\d\d)(?![\d.])(?:[ -]|$)")
_PREFIX = re.compile(r"^[245]\d\d(?:[ -]|$)(?:[245]\.\d{1,3}\.\d{1,3}(?:[ -]|$))?")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


class Category(Enum):
    """Why a message was not taken."""

    NO_SUCH_USER = "no-such-user"
    INACTIVE_USER = "inactive-user"
    DOMAIN_GONE = "domain-gone"
    MAILBOX_FULL = "mailbox-full"
    SENDER_REFUSED = "sender-refused"
    AUTH_REQUIRED = "auth-required"
    SOURCE_ADDRESS_BLOCK = "source-address-block"
    SPAM_BLOCK = "spam-block"
    CONTENT = "content"
    TOO_LARGE = "too-large"
    POLICY = "policy"
    RELAYING = "relaying"
    RATE_LIMITED = "rate-limited"
    GREYLISTED = "greylisted"
    SERVER_TROUBLE = "server-trouble"
    NETWORK = "network"
    PROTOCOL = "protocol"
    SUPPRESSED = "suppressed"
    UNKNOWN = "unknown"

    @property
    def dead_address(self) -> bool:
        """Whether it is the recipient's address that is at fault, and not this message or we."""
        return self in _DEAD


_DEAD = frozenset({Category.NO_SUCH_USER, Category.INACTIVE_USER, Category.DOMAIN_GONE})


class Classification(Struct, frozen=True):
    """`permanent`: the same message would be refused again. `provider` is ``""`` where nobody is known
    to write so, `rule` the name of the rule that decided, ``""`` for `Category.UNKNOWN`.
    """

    category: Category
    permanent: bool
    provider: str = ""
    rule: str = ""

    @property
    def hard(self) -> bool:
        """A hard bounce: nothing sent to that address will arrive."""
        return self.permanent and self.category.dead_address

    @property
    def words(self) -> str:
        """``no-such-user, permanent (Google)``."""
        kind = "permanent" if self.permanent else "temporary"
        return f"{self.category.value}, {kind}" + (f" ({self.provider})" if self.provider else "")


class RulesInvalid(ValueError):
    """The rules of a file cannot be used; the message names the rule and what is wrong with it."""


_Pattern = Annotated[str, Meta(min_length=1, max_length=MAX_PATTERN)]
_Code = Annotated[int, Meta(ge=400, le=599)]
_Name = Annotated[str, Meta(min_length=1, max_length=100)]


class _Rule(Struct, frozen=True, forbid_unknown_fields=True):
    name: _Name
    category: Category
    permanent: bool | None = None
    provider: str = ""
    codes: tuple[_Code, ...] = ()
    enhanced: tuple[Annotated[str, Meta(pattern=r"^[x45]\.\d{1,3}\.\d{1,3}$")], ...] = ()
    text: tuple[_Pattern, ...] = ()
    source: str = ""


class _Provider(Struct, frozen=True, forbid_unknown_fields=True):
    name: _Name
    hosts: tuple[_Name, ...] = ()
    text: tuple[_Pattern, ...] = ()


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    rule: Annotated[tuple[_Rule, ...], Meta(max_length=MAX_RULES)] = ()
    provider: Annotated[tuple[_Provider, ...], Meta(max_length=MAX_RULES)] = ()


class _Compiled(Struct, frozen=True):
    rule: _Rule
    codes: frozenset[int]
    enhanced: frozenset[str]
    text: re.Pattern[str] | None


class Classifier:
    """Rules in their order, made by `load_rules` or `built_in`. `rules` names them all."""

    def __init__(self, files: Sequence[_File]) -> None:
        self._rules = tuple(_compile(rule) for file in files for rule in file.rule)
        self._providers = tuple(
            (each.name, _hosts(each.hosts), _joined(each.name, each.text))
            for file in files
            for each in file.provider
        )
        self.rules = tuple(each.rule.name for each in self._rules)
        repeated = {name for name in self.rules if self.rules.count(name) > 1}
        if repeated:
            raise RulesInvalid(f"the rule {min(repeated)!r} is there twice")
        # The same few replies come again and again.
        self._remembered = lru_cache(maxsize=2048)(self._classify)

    def classify(self, reply: Reply, host: str = "") -> Classification:
        """Return what a reply means. `host` is the name of the server that gave it, if known."""
        return self._remembered(reply, host)

    def provider(self, host: str) -> str:
        """Return who is known to run the server of that name, ``""`` where nobody is."""
        return self._provider("", host)

    def _classify(self, reply: Reply, host: str) -> Classification:
        text = _SPACE.sub(" ", reply.text[: MAX_TEXT * 2].lower()).strip()[:MAX_TEXT]
        enhanced = reply.enhanced or status_in(text)
        # Addresses are anything: their words are not the server's.
        words = _ADDRESS.sub("x@x", text)
        for each in self._rules:
            if (
                (not each.codes or reply.code in each.codes)
                and (
                    not each.enhanced
                    or enhanced in each.enhanced
                    or f"x{enhanced[1:]}" in each.enhanced
                )
                and (each.text is None or each.text.search(words))
            ):
                rule = each.rule
                permanent = reply.permanent if rule.permanent is None else rule.permanent
                provider = rule.provider or self._provider(text, host)
                return Classification(rule.category, permanent, provider, rule.name)
        provider = self._provider(text, host)
        return Classification(Category.UNKNOWN, reply.permanent, provider)

    def _provider(self, text: str, host: str) -> str:
        name = f".{host.lower().rstrip('.')}"
        for provider, hosts, _ in self._providers:
            if host and name.endswith(hosts):
                return provider
        for provider, _, pattern in self._providers:
            if pattern is not None and pattern.search(text):
                return provider
        return ""


def load_rules(first: Iterable[str] = ()) -> Classifier:
    """Return our rules behind those of the TOML texts `first`. Raises `RulesInvalid`."""
    return Classifier([*(_read(text) for text in first), _ours()])


@cache
def built_in() -> Classifier:
    """Return our own rules."""
    return load_rules()


def classify(reply: Reply, host: str = "") -> Classification:
    """Return what a reply means by our own rules. `host` is the name of the server that gave it."""
    return built_in().classify(reply, host)


def parse_reply(text: str, status: str = "") -> Reply | None:
    """Return the reply that some words are or hold (``550-5.1.1 no\\n550 5.1.1 such user``, a
    Diagnostic-Code of RFC 3464 §2.3.6); None where they have neither a code nor an enhanced code.

    `status` is the RFC 3463 code to believe where the words have none.
    """
    text = _CONTROL.sub(" ", text[: MAX_TEXT * 4].replace("\r\n", "\n")).strip()
    code = _CODE.search(text)
    enhanced = status_in(text) or status
    if code is None and not enhanced:
        return None
    number = int(code[1]) if code is not None else int(enhanced[0]) * 100 + 50
    if not enhanced.startswith(str(number // 100)):
        enhanced = ""
    words = text[code.start() :] if code is not None and code.start() < 12 else text
    plain = "\n".join(_PREFIX.sub("", line.strip()) for line in words.split("\n"))
    try:
        return Reply(number, enhanced, plain)
    except InvalidReply:
        return None


@cache
def _ours() -> _File:
    return _read(files(__package__).joinpath("rules.toml").read_text("utf-8"))


def _read(text: str) -> _File:
    try:
        return msgspec.convert(tomllib.loads(text), _File)
    except tomllib.TOMLDecodeError as error:
        raise RulesInvalid(f"it is no TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise RulesInvalid(str(error)) from None


def _compile(rule: _Rule) -> _Compiled:
    if not (rule.codes or rule.enhanced or rule.text):
        raise RulesInvalid(f"the rule {rule.name!r} fits everything")
    pattern = _joined(rule.name, rule.text)
    return _Compiled(rule, frozenset(rule.codes), frozenset(rule.enhanced), pattern)


def _joined(name: str, patterns: Sequence[str]) -> re.Pattern[str] | None:
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise RulesInvalid(f"{name!r}: {pattern!r} is no pattern: {error}") from None
    return re.compile("|".join(f"(?:{each})" for each in patterns)) if patterns else None


def _hosts(hosts: Sequence[str]) -> tuple[str, ...]:
    return tuple(f".{each.lower()}" for each in hosts)

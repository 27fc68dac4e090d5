"""The road of a message as people see it: what `service.road` returns, and the web app shows."""

from msgspec import Struct

from postroad.service.trusted import Trust


class Stage(Struct, frozen=True, rename="camel"):
    """One step of the road. `key` is one of ``submitted``, ``connected``, ``recognised``, ``accepted``,
    ``split``, ``waiting``, ``dns``, ``handed``, ``stored``, ``read`` and ``back``; `state` one of
    ``done``, ``now``, ``late``, ``next``, ``failed``. `at` is seconds since 1970, None where it has not
    happened, or nobody noted when; `seconds` passed since the step before. `lines` tell more.
    """

    key: str
    title: str
    text: str = ""
    at: float | None = None
    seconds: float | None = None
    state: str = "done"
    lines: tuple[str, ...] = ()


class Line(Struct, frozen=True):
    """One line of a dialogue: seconds after the attempt began, what it is about, in words."""

    seconds: float
    what: str
    text: str


class Attempt(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One try to hand a message over. `encrypted` is None where no server was reached; `rule` is what
    the link was under, `verified` by what the server proved who it is. `dialogue` is there where it was
    asked for.
    """

    at: float
    seconds: float
    host: str
    address: str
    encrypted: bool | None
    tls: str
    rule: str
    verified: str
    reply: str
    ended: str
    dialogue: tuple[Line, ...] | None = None


class Branch(Struct, frozen=True, rename="camel"):
    """The road to one recipient, from where it parts from the others. `state` is that of its delivery:
    ``due``, ``leased``, ``held``, ``delivered``, ``bounced``, ``expired`` or ``dropped``.
    """

    recipient: str
    state: str
    words: str
    stages: tuple[Stage, ...]
    attempts: tuple[Attempt, ...]


class Road(Struct, frozen=True, rename="camel"):
    """All of it. `kind` is ``received`` or ``sent``; `stages` are what all copies share; `done`: nothing
    more will happen by itself.
    """

    id: str
    kind: str
    done: bool
    trust: Trust
    stages: tuple[Stage, ...]
    branches: tuple[Branch, ...] = ()

"""Templates of messages, their versions, and what is made of them."""

from msgspec import Raw, Struct


class TemplateSource(Struct, frozen=True, omit_defaults=True):
    """What an author wrote. `html` and `mjml` exclude each other. Where `text` is missing it is derived
    from the HTML. `layout` is the name of another template that stands around this one, ``""`` for none.
    """

    subject: str = ""
    html: str = ""
    mjml: str = ""
    text: str = ""
    layout: str = ""

    @property
    def octets(self) -> int:
        """How many octets its parts have together."""
        parts = (self.subject, self.html, self.mjml, self.text)
        return sum(len(part.encode("utf-8", "replace")) for part in parts)


class Template(Struct, frozen=True):
    """One version of a template; one at most of a name is `live`, which is what messages are made of.

    Versions count from 1. `sample` is a JSON object to preview it with, ``""`` where there is none.
    `by` is who saved it, at `saved_at` (seconds since 1970).
    """

    name: str
    version: int
    live: bool
    source: TemplateSource
    sample: str
    saved_at: float
    by: str


class TemplateEntry(Struct, frozen=True):
    """A version as lists show it, without what was written."""

    name: str
    version: int
    live: bool
    layout: str
    saved_at: float
    by: str


class RenderLimits(Struct, frozen=True):
    """What rendering may cost: `fuel` counts the steps of the engine (long texts take many),
    `max_output_octets` is for each part, `max_depth` how deep data may be nested.
    """

    fuel: int = 1_000_000
    max_output_octets: int = 2 * 1024 * 1024
    max_depth: int = 32


class RenderJob(Struct, frozen=True):
    """What to render: a template, what stands around it, and `data`, a JSON object."""

    source: TemplateSource
    layout: TemplateSource | None
    data: Raw
    limits: RenderLimits


class Rendered(Struct, frozen=True, tag="rendered"):
    """What came of it. `html` is ``""`` where the template has text only."""

    subject: str
    html: str
    text: str

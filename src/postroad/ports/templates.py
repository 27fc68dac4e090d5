"""Where templates are kept, and who renders them."""

from typing import Protocol

from msgspec import Struct

from postroad.model import Rendered, RenderJob, Template, TemplateEntry


class Fault(Struct, frozen=True, tag="fault"):
    """Why a template was not rendered: in which `part` (``html``, ``layout text`` …, ``""`` for none),
    in which `line` (from 1; 0: unknown), and which `variable` is missing, if that is it.
    """

    detail: str
    part: str = ""
    line: int = 0
    variable: str = ""

    def __str__(self) -> str:
        where = f"{self.part}, line {self.line}" if self.line else self.part
        return f"{where}: {self.detail}" if where else self.detail


class TemplateFailed(Exception):
    """A template was not rendered, by what is in it or in the data."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


class Renderer(Protocol):
    """Renders templates without trusting them."""

    async def render(self, job: RenderJob, owner: str) -> Rendered:
        """Return the parts of the message. What an `owner` has rendered does not hold up others.

        Raises `TemplateFailed`, also where it takes too long or too much; `OSError` where rendering is
        not possible at all at the moment.
        """
        ...

    async def close(self) -> None:
        """Let go of what it needs."""
        ...


class TemplateStore(Protocol):
    """Reads templates. Raises `StorageError`."""

    async def live(self, name: str) -> Template | None:
        """Return the version that messages are made of."""
        ...

    async def get(self, name: str, version: int) -> Template | None:
        """Return a version."""
        ...

    async def versions(self, name: str) -> list[TemplateEntry]:
        """Return the versions of a name, the newest first."""
        ...

    async def list(self) -> list[TemplateEntry]:
        """Return one version for each name, by name: the live one, or else the newest."""
        ...

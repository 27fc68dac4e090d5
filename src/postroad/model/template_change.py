"""Changes to templates; see `model.change`."""

from msgspec import Struct

from postroad.model.template import Template


class TemplateSaved(Struct, frozen=True, tag="template_saved"):
    """A new version, the next of its name; where it is live the one that was is not any more. Of the
    versions the newest `keep` stay, and the live one.
    """

    at: float
    template: Template
    keep: int


class TemplateActivated(Struct, frozen=True, tag="template_activated"):
    """Messages are made of this version from now on."""

    at: float
    name: str
    version: int
    by: str


class TemplateRemoved(Struct, frozen=True, tag="template_removed"):
    """A template was removed with all its versions."""

    at: float
    name: str
    by: str

"""Messages from templates: `render` is a function of template and data alone, and trusts neither."""

from postroad.message.template.render import render

__all__ = ["render"]

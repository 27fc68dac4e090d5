"""A message as a page that a browser may show: nothing in it runs, nothing is loaded but what we serve.

`render` does all of it. Two walls stand one behind the other: `tidy` writes every tag anew from lists of
what is allowed, balanced and bounded; nh3 then parses that as a browser does and allows the same again.
"""

from postroad.message.display.page import SafePage, page_of
from postroad.message.display.picture import Picture, look_at
from postroad.message.display.render import DisplayLimits, render
from postroad.message.display.sources import Sources

__all__ = [
    "DisplayLimits",
    "Picture",
    "SafePage",
    "Sources",
    "look_at",
    "page_of",
    "render",
]

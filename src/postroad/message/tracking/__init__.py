"""Links and a picture in HTML that tell when they are followed or shown: where they can be put into a
message without touching anything else of it.
"""

from postroad.message.tracking.html import FoundLink, find_links, place_of_picture
from postroad.message.tracking.message import MAX_HTML_OCTETS, Trackable

__all__ = ["MAX_HTML_OCTETS", "FoundLink", "Trackable", "find_links", "place_of_picture"]

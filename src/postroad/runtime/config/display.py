"""Settings of how mail is shown in a browser."""

from pydantic import Field

from postroad.runtime.config.values import Octets, Seconds, Section, Switch

_MIB = 2**20


class DisplaySection(Section):
    """HTML mail as safe pages, at `/mail-view/` where JMAP is on, and pictures of the web in it."""

    max_octets: Octets = Field(
        default=2 * _MIB,
        ge=1024,
        le=64 * _MIB,
        description="How much of the texts of a message is shown; the page says so where it goes on.",
    )
    max_tags: int = Field(
        default=30_000,
        ge=100,
        le=1_000_000,
        description="How many tags of a text are looked at; behind these only its words are shown.",
    )
    remote_pictures: Switch = Field(
        default=True,
        description="Whether pictures of the web are fetched, by this server, once a reader asks for "
        "those of a message.",
    )
    max_picture_octets: Octets = Field(
        default=10 * _MIB,
        ge=1024,
        le=256 * _MIB,
        description="Size of a picture; not shown beyond.",
    )
    max_picture_pixels: int = Field(
        default=50_000_000,
        ge=10_000,
        le=1_000_000_000,
        description="Width times height of a picture; not shown beyond.",
    )
    picture_seconds: Seconds = Field(
        default=15.0,
        ge=0.1,
        le=120,
        description="How long it may take to fetch a picture, with all redirects.",
    )
    max_redirects: int = Field(
        default=3, ge=0, le=10, description="How many redirects to a picture are followed."
    )
    at_once: int = Field(
        default=16, ge=1, le=1000, description="How many pictures are fetched at the same time."
    )
    link_seconds: Seconds = Field(
        default=86_400.0,
        ge=60,
        le=31_557_600,
        description="How long the addresses of pictures in a page are good at least; at most twice "
        "that.",
    )
    allow_private: Switch = Field(
        default=False,
        description="Whether pictures may be at loopback, private and link-local addresses, and at any "
        "port. Who writes to a reader here reaches servers in this network then.",
    )

"""Settings of queue, store and POP3."""

from pydantic import Field

from postroad.runtime.config.values import Octets, Seconds, Section


class QueueSection(Section):
    """When deliveries are tried, and how many at once."""


class StorageSection(Section):
    """The store."""


class Pop3Section(Section):
    """Reading mail by POP3."""


_ = (Field, Octets, Seconds)

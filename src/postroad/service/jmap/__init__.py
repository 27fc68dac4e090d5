"""JMAP on our mailboxes (RFC 8620, RFC 8621): the methods, each a function, and what calls them.

Import from here: ``from postroad.service.jmap import Jmap``. A login sees one account, and an
email is in exactly one mailbox at a time.
"""

from postroad.service.jmap.desk import Desk, JmapSettings
from postroad.service.jmap.jmap import Jmap

__all__ = ["Desk", "Jmap", "JmapSettings"]

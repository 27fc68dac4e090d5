"""Writes messages: from texts, addresses and files to the bytes that leave.

Everything that a caller gives is validated before a byte is written; what would end a line early is
refused by the name of its field. Date and Message-ID are left to the intake.
"""

from postroad.message.compose.fields import LetterInvalid, Person
from postroad.message.compose.letter import Attachment, Letter, compose

__all__ = ["Attachment", "Letter", "LetterInvalid", "Person", "compose"]

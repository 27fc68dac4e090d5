"""A label: what a sender told of a message beside its envelope and bytes, when it came by HTTP; and the
answer that is given again to who asks the same again.
"""

from collections.abc import Iterator

from msgspec import Struct

MAX_SUBJECT_WORDS = 16
"""So many different words of a subject can be searched for."""


class Label(Struct, frozen=True, omit_defaults=True):
    """`subject` is that of the header, decoded; `tags` and `metadata` (name and value) are the sender's
    own. `key` is the id of the key of the API that it was handed in with.
    """

    key: int
    subject: str = ""
    tags: tuple[str, ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()

    def marks(self) -> list[str]:
        """Return by what a message is found: one text for each tag, each metadata, each word of the
        subject.
        """
        found = dict.fromkeys(map(tag_mark, self.tags))
        found |= dict.fromkeys(metadata_mark(name, value) for name, value in self.metadata)
        words = dict.fromkeys(subject_marks(self.subject))
        found |= dict.fromkeys(list(words)[:MAX_SUBJECT_WORDS])
        return list(found)


def tag_mark(tag: str) -> str:
    """Return the mark of a tag."""
    return f"t:{tag}"


def metadata_mark(name: str, value: str) -> str:
    """Return the mark of a metadata."""
    return f"m:{name}={value}"


def subject_marks(text: str) -> Iterator[str]:
    """Return the marks of the words of a subject: what stands between all but letters and digits."""
    words = "".join(letter if letter.isalnum() else " " for letter in text.casefold()).split()
    return (f"s:{word}" for word in words)


class KeptAnswer(Struct, frozen=True):
    """What was answered to a request with an idempotency key, so that the same request is answered the
    same. `scope` is whose key it is (a sender, an account, a key of the API); `digest` is the SHA-256 of
    what was asked; `expires_at` is in seconds since 1970.
    """

    scope: str
    key: str
    digest: bytes
    answer: str
    expires_at: float

"""Words of emails as PostgreSQL keeps them: split as FTS5 splits them, without marks on letters."""

import unicodedata

MAX_POSITION = 16_383  # of a tsvector
MAX_WORD_OCTETS = 2_000
MAX_OCTETS = 900_000  # a tsvector holds 1 MiB
MAX_PLACES = 250  # of one word


def split(text: str) -> list[str]:
    """Return the words: runs of letters and digits, in lower case, without diacritics."""
    plain = unicodedata.normalize("NFD", text)
    kept = "".join(
        each if each.isalnum() or unicodedata.category(each) == "Co" else " "
        for each in plain
        if not unicodedata.combining(each)
    )
    return kept.lower().split()


def vector(text: str) -> str:
    """Return a text's words and their places as a tsvector is written."""
    places: dict[str, list[int]] = {}
    octets = 0
    for place, word in enumerate(split(text), 1):
        size = len(word.encode())
        if size > MAX_WORD_OCTETS:
            continue
        known = places.get(word)
        if known is None:
            octets += size + 8
            if octets > MAX_OCTETS:
                break
            known = places[word] = []
        if len(known) < MAX_PLACES and place <= MAX_POSITION:
            known.append(place)
            octets += 2
    return " ".join(
        f"'{word}'" + (":" + ",".join(map(str, at)) if at else "") for word, at in places.items()
    )


def query(phrase: str) -> str:
    """Return the search for a phrase as a tsquery is written; '' where it has no words."""
    return " <-> ".join(f"'{word}'" for word in split(phrase))

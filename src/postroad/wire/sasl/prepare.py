"""SASLprep (RFC 4013): two ways to type one password give the same octets."""

import stringprep
import unicodedata

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


class Unprepared(ValueError):
    """The text has characters that SASLprep forbids."""


def saslprep(text: str) -> str:
    """Return `text` mapped and normalised. Unassigned code points pass (RFC 3454 §7, queries).

    Raises `Unprepared`.
    """
    if text.isascii():
        if not text.isprintable():
            raise Unprepared("control character")
        return text
    # RFC 4013 §2.1: other spaces become a space, what is commonly mapped to nothing goes
    mapped = "".join(
        " " if stringprep.in_table_c12(letter) else letter
        for letter in text
        if not stringprep.in_table_b1(letter)
    )
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if any(prohibited(letter) for letter in prepared for prohibited in _PROHIBITED):
        raise Unprepared("forbidden character")
    # RFC 3454 §6: text from right to left is so from end to end
    if any(map(stringprep.in_table_d1, prepared)):
        ends = prepared[0], prepared[-1]
        if any(map(stringprep.in_table_d2, prepared)) or not all(map(stringprep.in_table_d1, ends)):
            raise Unprepared("text of both directions")
    return prepared


def password_octets(password: str) -> bytes:
    """Return what SCRAM hashes of a password: prepared where SASLprep can, else as it is.

    A password that SASLprep refuses was accepted by the account, so it must work; clients that do the
    same (as PostgreSQL's) can log in with it, and every client can by PLAIN.
    """
    try:
        return saslprep(password).encode()
    except Unprepared:
        return password.encode()

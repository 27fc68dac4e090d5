"""`storage.postgres.words`."""

from postroad.storage.postgres.words import MAX_OCTETS, MAX_PLACES, query, split, vector


def test_words_have_no_marks_and_no_case() -> None:
    assert split("Grüße, Åsa-Lena! a1 b_c") == ["gruße", "asa", "lena", "a1", "b", "c"]


def test_a_vector_has_the_places_of_its_words() -> None:
    assert vector("to be or not to be") == "'to':1,5 'be':2,6 'or':3 'not':4"
    assert vector("' : \\ ,") == ""


def test_a_phrase_is_words_that_follow_each_other() -> None:
    assert query("Old  Apples") == "'old' <-> 'apples'"
    assert query("?!") == ""


def test_a_vector_stays_below_what_postgres_takes() -> None:
    assert len(vector(" ".join(f"word{n}" for n in range(200_000)))) < MAX_OCTETS + 100_000
    assert vector("a " * 1000).count(",") == MAX_PLACES - 1
    assert vector("x" * 5000 + " y") == "'y':2"

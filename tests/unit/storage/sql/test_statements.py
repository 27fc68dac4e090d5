import pytest

from postroad.storage.sql.statements import SQL, parse_statements


def test_statements_are_parted_by_name_and_lose_their_comments() -> None:
    text = "-- A file.\n\n-- :name one\n-- Why.\nSELECT 1\nFROM x; \n\n-- :name two\nSELECT 2;\n"
    assert parse_statements(text) == {"one": "SELECT 1\nFROM x;", "two": "SELECT 2;"}


@pytest.mark.parametrize(
    "text",
    [
        "-- :name one\nSELECT 1;\n-- :name one\nSELECT 2;",
        "-- :name one\nSELECT 1",
        "-- :name one\n-- nothing",
    ],
)
def test_a_broken_file_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="'one'"):
        parse_statements(text)


def test_all_are_loaded() -> None:
    assert {
        "message_insert",
        "entry_listing",
        "domain_get",
        "journey_after",
        "content_piece",
    } <= set(SQL)

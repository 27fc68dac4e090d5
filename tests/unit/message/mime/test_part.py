"""A part and what is below it."""

from postroad.message.mime.fields import Parameters
from postroad.message.mime.part import Part


def test_names_of_a_file() -> None:
    named = Parameters("image/png", {"name": "a"})
    assert Part(0, 0, 0, parameters=named).filename == "a"
    disposition = Parameters("inline", {"filename": "b"})
    assert Part(0, 0, 0, parameters=named, disposition=disposition).filename == "b"
    assert Part(0, 0, 0).filename == ""


def test_walking_in_the_order_of_the_message() -> None:
    leaves = [Part(n, n, n) for n in range(4)]
    inner = Part(9, 9, 9, "multipart/mixed", children=(leaves[1], leaves[2]))
    root = Part(8, 8, 8, "multipart/mixed", children=(leaves[0], inner, leaves[3]))
    assert [part.header for part in root.walk()] == [8, 0, 9, 1, 2, 3]

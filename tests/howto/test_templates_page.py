"""What `docs/howto/send-from-templates.md` says to do by HTTP is done in a shell, against a server."""

from pathlib import Path

from tests.howto.shell import blocks, play


def test_what_is_done_by_http_works(tmp_path: Path) -> None:
    played = play(blocks("send-from-templates.md", "By HTTP"), tmp_path)
    assert played.codes == [*["200"] * 7, "202", "204"], played
    first, draft, listed, shown, versions, tried, live, sent = played.answers
    assert (first["version"], first["live"]) == (1, True)
    assert (draft["version"], draft["live"]) == (2, False)
    assert [each["version"] for each in listed["templates"]] == [1]
    assert shown == first
    assert [each["version"] for each in versions["templates"]] == [2, 1]
    assert tried == {"subject": "New words", "html": "", "text": "Bob"}
    assert live["version"] == 1
    assert sent["durability"] == "fsync"

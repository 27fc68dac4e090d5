"""What `docs/howto/webhooks.md` says to do by HTTP is done, in a shell, against a real server."""

from pathlib import Path

from tests.howto.shell import blocks, play


def test_what_is_done_by_http_works(tmp_path: Path) -> None:
    played = play(blocks("webhooks.md", "By HTTP"), tmp_path)
    assert played.codes == ["201", *["200"] * 6, "204"], played
    made, listed, shown, tried, rotated, dead, replayed = played.answers
    assert made["secret"].startswith("whsec_")
    assert listed["webhooks"] == [shown]
    assert (shown["events"], shown["domains"]) == (["bounced", "complained"], ["example.org"])
    assert tried["taken"] is False
    assert "app.example" in tried["failure"] or "took too long" in tried["failure"]
    assert rotated["secret"] not in ("", made["secret"])
    assert dead == {"dead": []}
    assert replayed == {"replayed": 0}

"""What `docs/howto/send-by-http.md` tells people to type is typed, in a shell, against a real server."""

import re
from pathlib import Path

from peers.tools import free_port
from tests.howto.shell import DOCS, play

PAGE = DOCS / "send-by-http.md"


def test_the_page_works(tmp_path: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert len(blocks[0].splitlines()) < 10, "from nothing to delivered in less than ten lines"
    port = free_port()
    # What asks for an id reads JSON alone.
    typed = "\n".join(blocks).replace("8025", str(port)).replace("json.load(sys.stdin)", _FIRST)
    played = play(typed, tmp_path, start="", port=port)
    assert set(played.codes) - {"000"} == {"200", "202"}  # 000: it is not up yet
    sent, found, shown, once, batch, raw, *rest = played.answers
    moved, retried, held, released, cancelled, *finds = rest
    assert sent["durability"] == "fsync"
    assert [each["id"] for each in found["messages"]] == [sent["id"]]
    assert shown["deliveries"][0]["state"] == "delivered"
    assert shown["journey"][0]["what"] == "accepted"
    assert once["id"]
    assert [each["status"] for each in batch] == [202, 422]
    assert raw["id"]
    steered = (moved, retried, held, released, cancelled)
    assert [each["changed"] for each in steered] == [1] * 5
    assert moved["message"]["id"] == retried["message"]["id"] != held["message"]["id"]
    by_recipient, by_subject, by_tag, by_metadata, by_state, by_time, by_all = (
        [each["id"] for each in found["messages"]] for found in finds
    )
    assert len(by_recipient) == 5
    assert by_subject == by_tag == by_metadata == by_all == [shown["id"]]
    assert by_state == [cancelled["message"]["id"]]
    assert len(by_time) == 2
    assert finds[5]["next_cursor"] is not None


_FIRST = "json.loads(sys.stdin.readline())"

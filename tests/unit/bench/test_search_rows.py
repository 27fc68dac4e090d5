"""The row about searching, on few messages."""

from bench.ours import Postroad
from bench.search_rows import asked, fill_messages, recipient


def test_each_question_finds_messages_among_few() -> None:
    with Postroad(http=True) as server:
        fill_messages(server, 300)
        server.start()
        took = asked(server, 300, 30)
    assert len(took) == 30
    assert 0 < max(took) < 5000
    assert str(recipient(0)) == str(recipient(100)) != str(recipient(1))

"""A full mailbox, from outside: mail comes by SMTP, and is read and deleted by POP3."""

import json
import poplib
import smtplib
import ssl
import time
from pathlib import Path

from tests.interop.serving_process import BOB, PASSWORD, Serving, command, serving_process

LETTER = b"From: eve@far.test\r\nTo: bob@us.test\r\nSubject: hello\r\n\r\nhi\r\n"


def offer(serving: Serving) -> tuple[int, bytes]:
    """Offer a message to Bob, and bring it where he is accepted; return what was said."""
    with smtplib.SMTP("127.0.0.1", serving.ports["mx"], timeout=20) as client:
        client.ehlo()
        client.mail("eve@far.test")
        code, said = client.rcpt(BOB)
        return client.data(LETTER) if code == 250 else (code, said)


def delete_all(serving: Serving) -> int:
    """Delete what is in Bob's INBOX; return how many messages that were."""
    context = ssl.create_default_context(cafile=serving.ca_file)
    client = poplib.POP3_SSL("localhost", serving.ports["pop3s"], timeout=20, context=context)
    client.user(BOB)
    client.pass_(PASSWORD)
    count, _ = client.stat()
    for number in range(1, count + 1):
        client.dele(number)
    client.quit()
    return count


def used(serving: Serving) -> dict[str, int | None]:
    done = command(serving.config, "account", "quota", BOB, "--json")
    found: dict[str, int | None] = json.loads(done.stdout)["messages"]
    return found


def test_a_full_mailbox_takes_mail_again_when_its_owner_deleted_some(tmp_path: Path) -> None:
    quota = {"messages": 2, "when_full": "refuse"}
    with serving_process(tmp_path, tmp_path / "data", quota=quota) as serving:
        assert [offer(serving)[0] for _ in range(2)] == [250, 250]
        assert offer(serving) == (552, b"5.2.2 The mailbox is full")
        assert used(serving) == {"used": 2, "limit": 2}
        assert delete_all(serving) == 2
        end = time.monotonic() + 20
        while (said := offer(serving))[0] != 250:  # what is full is looked at once a second
            assert time.monotonic() < end, said
            time.sleep(0.2)
        assert used(serving) == {"used": 1, "limit": 2}

"""Signatures of webhooks, against the words of Standard Webhooks and the example of the how-to."""

import re
import time
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from postroad.model import Webhook
from postroad.service.webhook_secrets import WebhookSecrets

HOOK = Webhook(5, "shop", "https://a.example/", 50.0)
SECRETS = WebhookSecrets(b"root")
PAGE = Path(__file__).parents[3] / "docs/howto/webhooks.md"


def example() -> Any:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    names: dict[str, Any] = {}
    exec(code, names)
    return names["verify"]


def test_the_example_of_the_page_verifies_and_refuses() -> None:
    verify, now = example(), time.time()
    headers = SECRETS.headers(HOOK, "evt_1_0", now, b"{}")
    secret = SECRETS.of(HOOK)
    assert verify(secret, headers, b"{}")
    assert not verify(secret, headers, b"{ }")
    assert not verify(secret, headers | {"webhook-id": "evt_2_0"}, b"{}")
    assert not verify(secret, headers | {"webhook-timestamp": str(int(now) + 1)}, b"{}")
    assert not verify(SECRETS.of(replace(HOOK, id=6)), headers, b"{}")
    old = SECRETS.headers(HOOK, "evt_1_0", now - 400, b"{}")
    assert not verify(secret, old, b"{}")


def test_two_secrets_are_good_while_one_is_replaced() -> None:
    verify, now = example(), time.time()
    new = replace(HOOK, generation=2, previous_until=now + 10)
    both = SECRETS.headers(new, "evt_1_0", now, b"{}")
    assert verify(SECRETS.of(HOOK), both, b"{}")
    assert verify(SECRETS.of(new), both, b"{}")
    assert SECRETS.of(new, 1) == SECRETS.of(HOOK) != SECRETS.of(new)
    after = SECRETS.headers(new, "evt_1_0", now + 11, b"{}")
    assert not verify(SECRETS.of(HOOK), after, b"{}")
    assert verify(SECRETS.of(new), after, b"{}")


def test_secrets_depend_on_the_store() -> None:
    assert WebhookSecrets(b"other").of(HOOK) != SECRETS.of(HOOK)

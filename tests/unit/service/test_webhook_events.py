"""What is told of each change of the journey."""

import json

import pytest
from msgspec.structs import replace

from postroad.delivery.suppression import refusal_of
from postroad.model import (
    Address,
    Attempted,
    Bounced,
    Change,
    Clicked,
    Complained,
    ContentRef,
    Delivered,
    Delivery,
    DeliveryState,
    Dropped,
    Envelope,
    Held,
    Label,
    Message,
    Opened,
    Origin,
    Outcome,
    PermanentFailure,
    PutOff,
    Recipient,
    Reply,
    ServerKind,
    Step,
    Suppression,
    SuppressionReason,
    TemporaryFailure,
    Unknown,
    Unsubscribed,
    Webhook,
    WebhookKind,
)
from postroad.model.change import Result
from postroad.service.webhook_events import Told, about, body, told_of, wants

ANN = Address.parse("ann@a.example")
MESSAGE = Message(
    7,
    Envelope(ANN, (Recipient(ANN),)),
    ContentRef(7, 1),
    Origin(ServerKind.API),
    50.0,
    message_id="<x@a.example>",
    stream="news",
    label=Label(1, tags=("t",), metadata=(("k", "v"),)),
)
NO = Reply(550, "5.1.1", "no such user")
LATER = Reply(451, "4.3.0", "later")
LISTED = Suppression(ANN, "news", SuppressionReason.COMPLAINT, "", 50.0)


def attempted(outcome: Outcome, state: DeliveryState, *steps: Step) -> Attempted:
    return Attempted(60.0, 7, 59.0, (Result(0, outcome, state),), steps=steps)


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        (attempted(Delivered(Reply(250, "2.0.0", "ok")), DeliveryState.DELIVERED), ["delivered"]),
        (attempted(TemporaryFailure(LATER), DeliveryState.DUE), ["delayed"]),
        (attempted(TemporaryFailure(LATER), DeliveryState.EXPIRED), ["failed"]),
        (attempted(PermanentFailure(NO), DeliveryState.BOUNCED), ["bounced"]),
        (attempted(Unknown(LATER), DeliveryState.DUE), ["unknown"]),
        (attempted(Unknown(LATER), DeliveryState.HELD), ["unknown"]),
        (
            attempted(
                PermanentFailure(refusal_of(LISTED)),
                DeliveryState.BOUNCED,
                Step(0.0, "suppressed", "ann@a.example: complaint"),
            ),
            ["suppressed"],
        ),
        (
            attempted(
                PermanentFailure(NO), DeliveryState.BOUNCED, Step(1.0, "suppressed", "from now on")
            ),
            ["bounced"],
        ),
        (Bounced(60.0, 7, 0, 8, reply=NO, category="bad_mailbox"), ["bounced"]),
        (Bounced(60.0, 7, 0, 8, failed=False), ["delayed"]),
        (Complained(60.0, 7, 0, 8, "abuse"), ["complained"]),
        (Opened(60.0, 7, 0), ["opened"]),
        (Clicked(60.0, 7, 0, "https://a.example/"), ["clicked"]),
        (Unsubscribed(60.0, 7, 0, "news", "one-click"), ["unsubscribed"]),
        (Dropped(60.0, "op", ((7, 0), (7, 1))), ["failed", "failed"]),
        (PutOff(60.0, 90.0, LATER, ((7, 0),)), ["delayed"]),
    ],
)
def test_each_change_is_told(change: Change, kinds: list[str]) -> None:
    told = told_of(change)
    assert [kind.value for kind, _, _ in told] == kinds
    assert about(change) == 7
    for each in told:
        made = json.loads(body("evt_1_0", 60.0, each, MESSAGE, {}))
        assert made["type"] == each[0].value


def test_others_are_not() -> None:
    held = Held(60.0, "op", ((7, 0),))
    assert about(held) is None
    assert told_of(held) == []


def test_the_body_has_what_the_sender_said() -> None:
    delivery = Delivery(7, 0, ANN, Address.parse("all@a.example"), "a.example")
    (told,) = told_of(attempted(PermanentFailure(NO), DeliveryState.BOUNCED))
    assert json.loads(body("evt_1_0", 60.5, told, MESSAGE, {0: delivery})) == {
        "id": "evt_1_0",
        "type": "bounced",
        "timestamp": "1970-01-01T00:01:00.500Z",
        "data": {
            "message": "0000000000007",
            "message_id": "<x@a.example>",
            "sender": "ann@a.example",
            "recipient": "all@a.example",
            "stream": "news",
            "tags": ["t"],
            "metadata": {"k": "v"},
            "code": 550,
            "enhanced": "5.1.1",
            "reply": "no such user",
        },
    }


def test_filters() -> None:
    hook = Webhook(1, "x", "https://a.example/", 1.0)
    assert wants(hook, WebhookKind.OPENED, MESSAGE)
    for kinds, streams, domains, wanted in (
        ((WebhookKind.OPENED,), ("news",), ("a.example",), True),
        ((WebhookKind.CLICKED,), (), (), False),
        ((), ("other",), (), False),
        ((), (), ("b.example",), False),
    ):
        narrow = Webhook(1, "x", "https://a.example/", 1.0, kinds, streams, domains)
        assert wants(narrow, WebhookKind.OPENED, MESSAGE) is wanted


def test_mail_that_no_stream_claims_is_of_the_one_called_default() -> None:
    plain = replace(MESSAGE, stream="default")
    hook = Webhook(1, "x", "https://a.example/", 1.0, streams=("default",))
    assert wants(hook, WebhookKind.ACCEPTED, plain)
    assert not wants(hook, WebhookKind.ACCEPTED, MESSAGE)
    told: Told = (WebhookKind.ACCEPTED, 0, {})
    assert json.loads(body("evt_1_0", 60.5, told, plain, {}))["data"]["stream"] == "default"

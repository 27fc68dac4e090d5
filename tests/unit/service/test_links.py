"""How a link was secured, in words."""

import pytest

from postroad.model import (
    Attempted,
    Delivered,
    DeliveryState,
    LinkPolicy,
    Outcome,
    Reply,
    Result,
    RouteKind,
    RouteTaken,
    TemporaryFailure,
)
from postroad.service.links import link_words

TLS = "TLSv1.3 TLS_AES_256_GCM_SHA384"


def words(policy: LinkPolicy | None, tls: str | None, verified: str = "", code: int = 250) -> str:
    reply = Reply(code, "", "x")
    outcome: Outcome = Delivered(reply) if code == 250 else TemporaryFailure(reply)
    taken = RouteTaken(RouteKind.MX, "mx.test", tls=tls, policy=policy, verified=verified)
    result = Result(0, outcome, DeliveryState.DELIVERED)
    return link_words(Attempted(1.0, 1, 1.0, (result,), taken))


@pytest.mark.parametrize("policy", LinkPolicy)
def test_every_rule_has_words(policy: LinkPolicy) -> None:
    assert words(policy, TLS, "certificate valid for mx.test").endswith(
        f": {TLS}, certificate valid for mx.test"
    )


def test_what_was_not_secured_is_told() -> None:
    assert words(LinkPolicy.OPPORTUNISTIC, TLS).endswith(": " + TLS + ", server not verified")
    assert words(LinkPolicy.OPPORTUNISTIC, None).endswith(": sent in clear")
    assert words(LinkPolicy.DANE, None, code=451) == "the receiver uses DANE: no secured link"


def test_without_a_link_nothing_is_said() -> None:
    assert words(None, None) == ""
    assert link_words(Attempted(1.0, 1, 1.0, ())) == ""

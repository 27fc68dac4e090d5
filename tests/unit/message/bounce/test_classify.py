import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.message.bounce.classify import (
    Category,
    Classification,
    RulesInvalid,
    built_in,
    load_rules,
    parse_reply,
)
from postroad.model import Reply

LINES = [
    line
    for line in (Path(__file__).parent / "replies.txt").read_text().splitlines()
    if not line.startswith("#")
]
OURS = built_in()


@pytest.mark.parametrize("line", LINES)
def test_a_reply(line: str) -> None:
    rule, category, kind, text = line.split(" ", 3)
    reply = parse_reply(text)
    assert reply is not None
    found = OURS.classify(reply)
    assert (found.rule, found.category.value, found.permanent) == (rule, category, kind == "p")


def test_every_rule_and_category_is_met_by_a_reply() -> None:
    assert len(LINES) >= 150
    assert {line.split(" ")[0] for line in LINES} == set(OURS.rules)
    assert {line.split(" ")[1] for line in LINES} == {
        each.value for each in Category if each is not Category.UNKNOWN
    }


def test_the_howto_tells_of_every_category() -> None:
    page = (Path(__file__).resolve().parents[4] / "docs/howto/handle-bounces.md").read_text()
    assert [each.value for each in Category if f"`{each.value}`" not in page] == []


def test_the_rule_of_the_howto_can_be_used() -> None:
    page = (Path(__file__).resolve().parents[4] / "docs/howto/handle-bounces.md").read_text()
    block = page.split("# /etc/postroad/replies.toml\n")[1].split("```")[0]
    found = load_rules([block]).classify(Reply(550, "", "closed from 22 to 6"))
    assert found == Classification(Category.SERVER_TROUBLE, False, "", "our-partner-nightly")


def test_what_no_rule_knows_is_unknown() -> None:
    assert OURS.classify(Reply(550, "", "42")) == Classification(Category.UNKNOWN, True)
    assert OURS.classify(Reply(450, "", "42")) == Classification(Category.UNKNOWN, False)


@pytest.mark.parametrize(
    ("text", "host", "provider"),
    [
        ("550 5.1.1 no such user - gsmtp", "", "Google"),
        ("550 5.1.1 no such user", "gmail-smtp-in.l.google.com", "Google"),
        ("550 5.1.1 no such user", "example-org.mail.protection.outlook.com.", "Microsoft"),
        ("550 5.1.1 no such user", "mta5.am0.yahoodns.net", "Yahoo"),
        ("550 5.1.1 no such user", "mx.notgoogle.com", ""),
        ("421 [TSS04] later", "", "Yahoo"),
    ],
)
def test_the_provider(text: str, host: str, provider: str) -> None:
    reply = parse_reply(text)
    assert reply is not None
    assert OURS.classify(reply, host).provider == provider


def test_what_a_hard_bounce_is() -> None:
    assert OURS.classify(Reply(550, "5.1.1", "no such user")).hard
    assert not OURS.classify(Reply(450, "4.1.1", "no such user")).hard
    assert not OURS.classify(Reply(552, "5.2.2", "over quota")).hard
    assert not OURS.classify(Reply(554, "5.7.1", "blocked using zen.spamhaus.org")).hard


def test_the_words_of_an_address_are_not_the_servers() -> None:
    reply = Reply(550, "5.2.2", "<spam.virus.greylist@unknown-user.test> no room")
    assert OURS.classify(reply).category is Category.MAILBOX_FULL


def test_words_for_people() -> None:
    found = OURS.classify(Reply(550, "5.1.1", "no such user"), "x.google.com")
    assert found.words == "no-such-user, permanent (Google)"


def test_rules_of_an_operator_come_first() -> None:
    mine = """
        [[rule]]
        name = "mine"
        category = "rate-limited"
        permanent = false
        codes = [550]
        text = ["come back on monday"]
    """
    rules = load_rules([mine])
    found = rules.classify(Reply(550, "5.1.1", "No such user; Come back\non Monday"))
    assert found == Classification(Category.RATE_LIMITED, False, "", "mine")
    assert rules.classify(Reply(550, "5.1.1", "no such user")).rule == "no-such-user"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[[rule]]\nname = 'x'\ncategory = 'odd'\ncodes = [550]", "Invalid enum value 'odd'"),
        ("[[rule]]\nname = 'x'\ncategory = 'policy'", "'x' fits everything"),
        ("[[rule]]\nname = 'x'\ncategory = 'policy'\ncodes = [250]", ">= 400"),
        ("[[rule]]\nname = 'x'\ncategory = 'policy'\nenhanced = ['2.1.1']", "enhanced"),
        ("[[rule]]\nname = 'x'\ncategory = 'policy'\ntext = ['(']", "'(' is no pattern"),
        ("[[rule]]\nname = 'x'\ncategory = 'policy'\ntexts = ['a']", "unknown field `texts`"),
        ("[[rule]]\nname = 'no-such-user'\ncategory = 'policy'\ncodes = [550]", "twice"),
        ("[[rule]]\ncategory = 'policy'\ncodes = [550]", "missing required field `name`"),
        ("[rule", "no TOML"),
    ],
)
def test_rules_that_cannot_be_used(text: str, wrong: str) -> None:
    with pytest.raises(RulesInvalid, match=wrong.replace("(", r"\(")):
        load_rules([text])


@pytest.mark.parametrize(
    ("text", "status", "reply"),
    [
        ("550 5.1.1 no", "", Reply(550, "5.1.1", "no")),
        ("550-5.1.1 no\r\n550 5.1.1 way", "", Reply(550, "5.1.1", "no\nway")),
        ("no such user", "5.1.1", Reply(550, "5.1.1", "no such user")),
        ("4.4.1 timed out", "", Reply(450, "4.4.1", "4.4.1 timed out")),
        ("smtp; 550 no", "", Reply(550, "", "no")),
        ("550 no", "4.0.0", Reply(550, "", "no")),
        ("250 ok", "", Reply(250, "", "ok")),
        ("sorry (#5.1.1)", "", Reply(550, "5.1.1", "sorry (#5.1.1)")),
    ],
)
def test_replies_in_words(text: str, status: str, reply: Reply) -> None:
    assert parse_reply(text, status) == reply


def test_words_without_a_reply() -> None:
    assert parse_reply("hello") is None


@given(st.text(max_size=300), st.sampled_from(["", "5.1.1", "4.0.0"]))
def test_nothing_makes_it_raise(text: str, status: str) -> None:
    reply = parse_reply(text, status)
    if reply is not None:
        OURS.classify(reply)


@pytest.mark.parametrize("piece", ["a", " ", "no ", "user ", "x not ", "1.1.", "is is ", "ip "])
def test_hostile_words_cost_little(piece: str) -> None:
    reply = Reply(550, "", piece * 20_000)
    began = time.process_time()
    load_rules().classify(reply)
    assert time.process_time() - began < 0.5

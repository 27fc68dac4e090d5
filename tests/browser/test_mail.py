"""Mail in a browser, as people use it: written, sent, read, answered, found, moved, taken back."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import ROOT, Running, picture
from tests.browser.letters import Reader, arrive, letters, put

Open = Callable[..., Page]
AT_ONCE = "localStorage.setItem('postroad.undo-seconds', '0')"
PHONE = {"viewport": {"width": 390, "height": 800}, "has_touch": True, "is_mobile": True}
AXE = ROOT / "webapp/node_modules/axe-core/axe.min.js"


@pytest.fixture(scope="module", autouse=True)
def filled(server: Running) -> None:
    put(server, "ann", letters(40))


def write(page: Page, to: str, subject: str, text: str) -> Locator:
    """Write a message, and return its window."""
    page.get_by_role("button", name="New message").click()
    window = page.get_by_role("dialog", name="New message")
    window.get_by_label("To", exact=True).fill(to)
    window.get_by_label("To", exact=True).press("Enter")
    window.get_by_label("Subject").fill(subject)
    text_field = window.get_by_role("textbox", name="Message")
    text_field.click()
    page.keyboard.type(text)
    return window


def row(page: Page, subject: str) -> Locator:
    return page.get_by_role("listitem").filter(has_text=subject)


def open_row(page: Page, subject: str) -> None:
    row(page, subject).locator(".words").click()


def says(page: Page, text: str) -> None:
    """Wait for a message that says something, in its frame or as plain text."""
    page.wait_for_function(
        """text => [
            ...[...document.querySelectorAll('article iframe')].map(each => each.contentDocument?.body),
            ...document.querySelectorAll('article .text'),
        ].some(each => each?.textContent.includes(text))""",
        arg=text,
    )


def test_a_letter_and_its_answer(people: Open, server: Running) -> None:
    ann, bob = people("ann"), people("bob")
    for page in (ann, bob):
        page.evaluate(AT_ONCE)
    window = write(ann, "bob@here.test", "Tea on Friday", "At four, by the river?")
    window.get_by_role("button", name="Send", exact=True).click()
    expect(ann.get_by_text("Sent", exact=True).last).to_be_visible()
    # It appears by itself where Bob's Inbox is open.
    open_row(bob, "Tea on Friday")
    message = bob.get_by_role("article")
    expect(message).to_contain_text("ann@here.test")
    says(bob, "At four, by the river?")
    bob.get_by_role("button", name="Reply", exact=True).last.click()
    window = bob.get_by_role("dialog", name="New message")
    expect(window.get_by_label("Subject")).to_have_value("Re: Tea on Friday")
    bob.keyboard.type("With pleasure.")
    window.get_by_role("button", name="Send", exact=True).click()
    open_row(ann, "Tea on Friday")
    expect(ann.get_by_role("article")).to_have_count(2)
    reader = Reader(server, "ann")
    answer = next(each for each in reader.inbox() if each["subject"] == "Re: Tea on Friday")
    question = reader.emails("sent")[0]
    assert answer["inReplyTo"] == question["messageId"]
    text = next(iter(answer["bodyValues"].values()))["value"]
    assert text.startswith("With pleasure.")
    assert "> At four, by the river?" in text
    assert Reader(server, "bob").inbox()[0]["keywords"].get("$answered")
    assert Reader(server, "ann").emails("drafts") == []


def test_drafts_are_saved_as_they_are_written(people: Open, server: Running) -> None:
    page = people("ann")
    window = write(page, "bob@here.test", "Half a thought", "It begins like this")
    expect(window.get_by_text("Draft saved")).to_be_visible()
    (draft,) = Reader(server, "ann").emails("drafts")
    assert draft["subject"] == "Half a thought"
    window.get_by_role("button", name="Save and close").click()
    page.get_by_role("link", name="Drafts").click()
    open_row(page, "Half a thought")
    window = page.get_by_role("dialog", name="New message")
    expect(window.get_by_role("textbox", name="Message")).to_contain_text("It begins like this")
    expect(window.get_by_text("bob@here.test")).to_be_visible()
    window.get_by_role("button", name="Discard").click()
    expect(page.get_by_text("Draft discarded")).to_be_visible()
    expect(row(page, "Half a thought")).to_have_count(0)
    assert Reader(server, "ann").emails("drafts") == []


def test_rich_text_and_pictures_within(people: Open, server: Running) -> None:
    page = people("ann")
    page.evaluate(AT_ONCE)
    window = write(page, "bob@here.test", "A picture", "")
    window.get_by_role("button", name="Bold").click()
    page.keyboard.type("See this:")
    image = ROOT / "webapp/public/icon.svg"
    window.get_by_label("Pictures", exact=True).set_input_files(
        {"name": "dot.png", "mimeType": "image/png", "buffer": image.read_bytes()}
    )
    expect(window.locator("img[data-cid]")).to_be_visible()
    expect(window.get_by_text("Draft saved")).to_be_visible()
    window.get_by_role("button", name="Send", exact=True).click()
    expect(row(people("bob"), "A picture")).to_be_visible()
    reader = Reader(server, "bob")
    found = reader.call(
        "Email/get",
        ids=[reader.inbox()[0]["id"]],
        properties=["htmlBody", "bodyValues", "attachments"],
        fetchHTMLBodyValues=True,
    )["list"][0]
    html = next(iter(found["bodyValues"].values()))["value"]
    (part,) = found["attachments"]
    assert "<b>See this:" in html
    assert f'src="cid:{part["cid"]}"' in html
    assert "blob:" not in html


def test_twenty_megabytes_go_along(people: Open, server: Running, tmp_path: Path) -> None:
    page = people("ann")
    page.evaluate(AT_ONCE)
    large = tmp_path / "film.bin"
    large.write_bytes(bytes(range(256)) * (20_000_000 // 256))
    window = write(page, "bob@here.test", "The film", "It is attached.")
    window.get_by_role("button", name="Send", exact=True).click()
    # Nothing was attached yet, and the text speaks of it.
    expect(page.get_by_role("dialog", name="Was something to be attached?")).to_be_visible()
    page.get_by_role("button", name="Go back").click()
    window.get_by_label("Files", exact=True).set_input_files(large)
    expect(window.get_by_text("20.0 MB")).to_be_visible(timeout=60_000)
    window.get_by_role("button", name="Send", exact=True).click()
    bob = people("bob")
    expect(row(bob, "The film")).to_be_visible(timeout=60_000)
    open_row(bob, "The film")
    href = bob.get_by_role("link", name=re.compile("film.bin")).get_attribute("href")
    told = bob.evaluate(
        """async href => {
            const answer = await fetch(href);
            const digest = await crypto.subtle.digest("SHA-256", await answer.arrayBuffer());
            return [...new Uint8Array(digest)];
        }""",
        href,
    )
    assert bytes(told) == hashlib.sha256(large.read_bytes()).digest()


def test_what_was_sent_is_taken_back(people: Open, server: Running) -> None:
    page = people("ann")
    before = len(Reader(server, "bob").inbox())
    window = write(page, "bob@here.test", "Too early", "Not yet")
    window.get_by_role("button", name="Send", exact=True).click()
    page.get_by_role("button", name="Undo").click()
    window = page.get_by_role("dialog", name="New message")
    expect(window.get_by_label("Subject")).to_have_value("Too early")
    reader = Reader(server, "ann")
    assert [each["subject"] for each in reader.emails("drafts")] == ["Too early"]
    submissions = reader.call("EmailSubmission/get", ids=None)["list"]
    assert submissions[0]["undoStatus"] == "canceled"
    assert len(Reader(server, "bob").inbox()) == before
    window.get_by_role("button", name="Discard").click()
    expect(window).to_have_count(0)


def test_a_message_waits_for_its_time(people: Open, server: Running) -> None:
    page = people("ann")
    window = write(page, "bob@here.test", "For tomorrow", "Good morning")
    window.get_by_role("button", name="Send later").click()
    page.get_by_role("button", name=re.compile("Tomorrow morning")).click()
    expect(page.get_by_text(re.compile("^Leaves "))).to_be_visible()
    page.get_by_role("link", name="Scheduled").click()
    open_row(page, "For tomorrow")
    page.get_by_role("button", name="Cancel and edit").click()
    window = page.get_by_role("dialog", name="New message")
    expect(window.get_by_label("Subject")).to_have_value("For tomorrow")
    expect(page.get_by_role("link", name="Scheduled")).to_have_count(0)
    window.get_by_role("button", name="Discard").click()
    expect(window).to_have_count(0)


def test_searching(people: Open) -> None:
    page = people("ann")
    field = page.get_by_label("Search mail")
    field.fill('from:aiko subject:"Minutes"')
    field.press("Enter")
    expect(page.get_by_role("button", name="Remove from: aiko")).to_be_visible()
    expect(row(page, "Minutes of Tuesday").first).to_be_visible()
    expect(row(page, "Saturday at the lake?")).to_have_count(0)
    picture(page, "search")
    page.get_by_role("button", name="Remove from: aiko").click()
    expect(page.get_by_role("button", name="Remove from: aiko")).to_have_count(0)
    field.fill("nothing-has-this-word")
    field.press("Enter")
    expect(page.get_by_text("Nothing was found")).to_be_visible()


def test_archive_star_and_undo_by_keys(people: Open, server: Running) -> None:
    arrive(server, "bob", "By the keyboard", "Hello")
    page = people("bob")
    open_row(page, "By the keyboard")
    page.keyboard.press("s")
    expect(page.get_by_role("toolbar").get_by_role("button", name="Star")).to_be_visible()
    page.keyboard.press("e")
    expect(page.get_by_text("Archived")).to_be_visible()
    expect(row(page, "By the keyboard")).to_have_count(0)
    page.keyboard.press("z")
    expect(row(page, "By the keyboard")).to_be_visible()
    email = next(e for e in Reader(server, "bob").inbox() if e["subject"] == "By the keyboard")
    assert email["keywords"] == {"$flagged": True, "$seen": True}
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_contain_text("reply to all")
    page.keyboard.press("Escape")
    row(page, "By the keyboard").drag_to(page.get_by_role("link", name="Archive"))
    expect(row(page, "By the keyboard")).to_have_count(0)
    assert [e["subject"] for e in Reader(server, "bob").emails("archive")] == ["By the keyboard"]


def test_new_mail_appears(people: Open, server: Running) -> None:
    page = people("ann")
    expect(row(page, "Saturday at the lake?").first).to_be_visible()
    arrive(server, "ann", "Fresh from the road", "Just now")
    expect(row(page, "Fresh from the road")).to_be_visible()
    expect(page).to_have_title(re.compile(r"\(\d+\) Inbox"))


def test_what_was_seen_is_there_without_a_network(people: Open) -> None:
    page = people("ann")
    row(page, "Saturday at the lake?").first.locator(".words").click()
    expect(page.get_by_role("article").first).to_be_visible()
    page.evaluate("navigator.serviceWorker.ready")
    page.reload()  # now through the service worker, which keeps what the app is made of
    expect(row(page, "Saturday at the lake?").first).to_be_visible()
    page.context.set_offline(True)
    page.reload()
    expect(page.get_by_text("Offline: showing what was seen")).to_be_visible()
    expect(row(page, "Saturday at the lake?").first).to_be_visible()
    expect(page.get_by_role("article").first).to_contain_text("Jonas Weber")


def test_on_a_phone_there_is_one_pane(people: Open) -> None:
    page = people("ann", **PHONE)
    expect(row(page, "Saturday at the lake?").first).to_be_visible()
    picture(page, "phone")
    row(page, "Saturday at the lake?").first.locator(".words").click()
    expect(page.get_by_role("article")).to_be_visible()
    expect(page.get_by_role("region", name="Inbox, messages")).to_be_hidden()
    page.go_back()
    expect(page.get_by_role("region", name="Inbox, messages")).to_be_visible()
    page.get_by_role("button", name="Mailboxes").click()
    page.get_by_role("link", name="Sent").click()
    expect(page.get_by_role("heading", name="Sent")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(people: Open, scheme: str) -> None:
    page = people("ann", color_scheme=scheme, bypass_csp=True)
    page.add_script_tag(path=AXE)
    row(page, "Saturday at the lake?").first.locator(".words").click()
    expect(page.get_by_role("article").first).to_be_visible()
    picture(page, f"mail-{scheme}")
    serious(page)
    page.keyboard.press("c")
    window = page.get_by_role("dialog", name="New message")
    window.get_by_label("To", exact=True).fill("bob@here.test,")
    expect(window.get_by_text("bob@here.test")).to_be_visible()
    if scheme == "light":
        window.get_by_label("Subject").fill("Plans for spring")
        picture(page, "compose")
    serious(page)
    window.get_by_role("button", name="Send later").click()
    serious(page)
    page.keyboard.press("Escape")
    window.get_by_role("button", name="Discard").click()
    page.get_by_role("button", name="Settings").click()
    serious(page)


def serious(page: Page) -> None:
    """Fail on what axe calls serious or critical."""
    found = page.evaluate(
        "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})"
    )
    told = {
        each["id"]: [
            node["html"][:200] + node["failureSummary"][:300] for node in each["nodes"][:3]
        ]
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    }
    assert told == {}

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.message.header import Header, header_end
from postroad.trust.dkim import Form, Result, Signer, SignSettings, sign, verify
from postroad.trust.dkim.sign import OVERSIGNED, SIGNED
from tests.unit.trust.zone import MESSAGE, NOW, ed25519_key, rsa_key, zone


def tag(field: bytes, name: str) -> str:
    match = re.search(rf"[;\s]{name}=([^;]*)", field.decode())
    assert match
    return re.sub(r"\s", "", match[1])


def test_what_is_signed() -> None:
    names = tag(sign(MESSAGE, (ed25519_key(),), NOW), "h").split(":")
    present = {"from", "to", "subject", "date", "message-id"}
    for name in OVERSIGNED:
        assert names.count(name) == 1 + (name in present)
    assert not set(SIGNED) & set(names)
    listed = b"List-Unsubscribe: <x>\r\nList-Unsubscribe-Post: y\r\nReceived: z\r\n" + MESSAGE
    names = tag(sign(listed, (ed25519_key(),), NOW), "h").split(":")
    assert names.count("list-unsubscribe") == names.count("list-unsubscribe-post") == 1
    assert "received" not in names


def test_the_fields_are_folded_and_say_no_length() -> None:
    fields = sign(MESSAGE, (rsa_key(), ed25519_key()), NOW, SignSettings(expires_seconds=3600))
    assert fields.endswith(b"\r\n")
    lines = fields.split(b"\r\n")[:-1]
    assert all(len(line) <= 78 for line in lines)
    assert all(line.startswith((b"\t", b"DKIM-Signature: v=1; a=")) for line in lines)
    assert len(Header.parse(fields).fields) == 2
    assert not re.search(rb"[;\s]l=", fields)
    assert int(tag(fields, "x")) - int(tag(fields, "t")) == 3600


def test_many_fields_of_a_name_are_bounded() -> None:
    message = b"To: x@y\r\n" * 5000 + MESSAGE
    assert len(sign(message, (ed25519_key(),), NOW)) < 3000


@pytest.mark.parametrize("header_form", Form)
@pytest.mark.parametrize("body_form", Form)
async def test_both_kinds_of_keys_in_every_form(header_form: Form, body_form: Form) -> None:
    keys = (rsa_key(), ed25519_key())
    fields = sign(MESSAGE, keys, NOW, SignSettings(header_form, body_form))
    results = await verify(fields + MESSAGE, zone(), NOW)
    assert [each.result for each in results] == [Result.PASS] * 2
    assert [each.selector for each in results] == ["r", "e"]


@given(
    st.lists(
        st.sampled_from(
            [b"\r\n", b" ", b"\t", b"x", b"a: b\r\n", b"Subject: x\r\n\ty\r\n", b"\xff"]
        ),
        max_size=30,
    ).map(b"".join)
)
async def test_whatever_we_sign_we_verify(rest: bytes) -> None:
    message = b"From: a@example.test\r\n" + rest
    for settings in (SignSettings(), SignSettings(Form.SIMPLE, Form.SIMPLE)):
        fields = sign(message, (ed25519_key(),), NOW, settings)
        results = await verify(fields + message, zone(), NOW)
        assert [each.result for each in results] == [Result.PASS]


def test_chunk_by_chunk() -> None:
    signer = Signer((ed25519_key(),))
    end = header_end(MESSAGE)
    body = signer.body_hasher()
    for start in range(end, len(MESSAGE), 7):
        body.write(MESSAGE[start : start + 7])
    fields = signer.sign(Header.parse(MESSAGE), body, NOW)
    assert fields == sign(MESSAGE, (ed25519_key(),), NOW)

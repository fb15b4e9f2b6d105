"""winmail.dat, wrapped by Outlook and Exchange (MS-OXTNEF): laid out by the specification; tnefparse 1.4 reads the same."""

import contextlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.certificates import rsa_key
from support.mail_people import MailRoot
from support.smime_layers import FROM_ALICE, TEXT, base64_lines, encrypted, signed_clear, signed_opaque

from sealwright.errors import DecodingError
from sealwright.smime.entities import parse_entity
from sealwright.smime.parts import contents_of
from sealwright.smime.tnef import parse_tnef, smime_entity
from sealwright.smime.verdict import judge_message

ROOT = MailRoot()
ALICE, BOB = ROOT.person("alice"), ROOT.person("bob", key=rsa_key())


def attribute(level, name, value):
    return struct.pack("<BII", level, name, len(value)) + value + struct.pack("<H", sum(value) & 0xFFFF)


def variable(kind, name, value, *, count=1):
    padding = b"\0" * (-len(value) % 4)
    return struct.pack("<HHII", kind, name, count, len(value)) + value + padding


def properties(*items):
    return struct.pack("<I", len(items)) + b"".join(items)


NAMED = (
    struct.pack("<HH", 0x001F, 0x8001) + b"\1" * 16 + struct.pack("<II", 1, 6) + "ab\0".encode("utf-16-le") + b"\0\0"
)
NAMED += struct.pack("<II", 1, 4) + "x\0".encode("utf-16-le")
NUMBERED = struct.pack("<HH", 0x000B, 0x8002) + b"\2" * 16 + struct.pack("<II", 0, 7) + struct.pack("<I", 1)
SEVERAL = struct.pack("<HHI", 0x101F, 0x3FFF, 2) + (struct.pack("<I", 4) + "a\0".encode("utf-16-le")) * 2


def tnef(*attachments, message_class=b"IPM.Note\0", text=b"", unicode_text=""):
    """Return a TNEF stream; attachments are (title, long name, MIME type, content, as a property)."""
    found = b"\x78\x9f\x3e\x22\x01\x00" + attribute(1, 0x00089006, b"\0\0\1\0")
    found += attribute(1, 0x00069007, struct.pack("<II", 1252, 0)) + attribute(1, 0x00078008, message_class)
    if text:
        found += attribute(1, 0x0002800C, text + b"\0")
    body = [variable(0x001F, 0x1000, (unicode_text + "\0").encode("utf-16-le"))] if unicode_text else []
    dated = struct.pack("<HHQ", 0x0040, 0x0039, 1)
    found += attribute(1, 0x00069003, properties(NAMED, NUMBERED, SEVERAL, dated, *body))
    for title, long_name, mime_type, content, as_property in attachments:
        found += attribute(2, 0x00069002, b"\1\0" + b"\0" * 12) + attribute(2, 0x00018010, title + b"\0")
        items = [variable(0x001F, 0x3707, (long_name + "\0").encode("utf-16-le"))] if long_name else []
        items += [variable(0x001E, 0x370E, mime_type + b"\0")] if mime_type else []
        items += [variable(0x000D, 0x3701, b"I" * 16 + content)] if as_property else []
        if not as_property:
            found += attribute(2, 0x0006800F, content)
        found += attribute(2, 0x00069005, properties(*items))
    return found


WINMAIL = tnef(
    (b"RECHNU~1.PDF", "Rechnung für März.pdf", b"application/pdf", b"%PDF-", False),
    (b"note.txt", "", b"", b"text", False),
    (b"embedded", "", b"", b"inner", True),
    text="Grüße".encode("cp1252"),
)


def test_text_and_attachments():
    found = parse_tnef(WINMAIL)
    assert (found.message_class, found.text) == ("IPM.Note", "Grüße")
    assert [(each.file_name, each.content_type, each.content) for each in found.attachments] == [
        ("Rechnung für März.pdf", "application/pdf", b"%PDF-"),
        ("note.txt", "", b"text"),
        ("embedded", "", b"inner"),
    ]
    assert parse_tnef(tnef(unicode_text="日本")).text == "日本"


@pytest.mark.parametrize(
    "content_type",
    [
        b"application/ms-tnef; name=winmail.dat",
        b"application/vnd.ms-tnef",
        b'application/octet-stream; name="WINMAIL.DAT"',
    ],
)
def test_a_message_shows_what_winmail_dat_holds(content_type):
    part = b"Content-Type: " + content_type + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64_lines(WINMAIL)
    found = contents_of(parse_entity(part), strip_legacy_display=False)
    assert found.text == "Grüße"
    assert [each.file_name for each in found.attachments] == ["Rechnung für März.pdf", "note.txt", "embedded"]
    assert [each.content_type for each in found.attachments][1] == "application/octet-stream"
    message = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nthe text\r\n--b\r\n" + part + b"\r\n--b--"
    found = contents_of(parse_entity(message), strip_legacy_display=False)
    assert found.text == "the text"
    assert len(found.attachments) == 3


def test_what_is_no_tnef_stays_an_attachment():
    for content in (b"junk", WINMAIL[:-9]):
        part = b"Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        found = contents_of(parse_entity(part + base64_lines(content)), strip_legacy_display=False)
        assert [(each.file_name, each.content) for each in found.attachments] == [("winmail.dat", content)]


def from_exchange(stream):
    head = b"Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return FROM_ALICE + head + base64_lines(stream)


def cms_of(entity):
    return parse_entity(entity).decoded()


WRAPPED = {
    "opaque": (b"IPM.Note.SMIME\0", cms_of(signed_opaque(TEXT, ALICE)), True),
    "encrypted": (b"IPM.Note.SMIME\0", cms_of(encrypted(signed_opaque(TEXT, ALICE), BOB)), True),
    "multipart": (b"IPM.Note.SMIME.MultipartSigned\0", signed_clear(TEXT, ALICE), True),
    "not said to be S/MIME": (b"IPM.Note\0", signed_clear(TEXT, ALICE), False),
}


@pytest.mark.parametrize(("message_class", "content", "is_signed"), WRAPPED.values(), ids=WRAPPED.keys())
def test_signed_mail_that_exchange_wrapped(message_class, content, is_signed):
    """MS-OXOSMIME section 2.2; github.com/jstedfast/MimeKit issue 441: smime.p7m alone in application/ms-tnef."""
    stream = tnef((b"smime.p7m", "", b"multipart/signed", content, False), message_class=message_class)
    verdict = judge_message(from_exchange(stream), BOB.find_keys, ROOT.trust())
    assert verdict.summary.authentic_author == ("alice@example.test" if is_signed else None)
    assert (verdict.body_text == "Pay 10 to Bob.\n") is is_signed


def test_a_second_attachment_makes_it_no_smime_message():
    one = (b"smime.p7m", "", b"", signed_clear(TEXT, ALICE), False)
    stream = tnef(one, (b"x", "", b"", b"y", False), message_class=b"IPM.Note.SMIME.MultipartSigned\0")
    assert smime_entity(parse_tnef(stream)) is None
    assert judge_message(from_exchange(stream), BOB.find_keys, ROOT.trust()).summary.authentic_author is None


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b"\x78\x9f\x3e\x22" * 2,
        WINMAIL[:4] + b"\1\0" + attribute(1, 1, b"") * 5001,
        tnef()[:6] + attribute(1, 0x00069003, struct.pack("<I", 5001)),
        tnef()[:6] + attribute(1, 0x00069003, struct.pack("<IHHI", 1, 0x101F, 1, 2**31)),
        tnef()[:6] + attribute(1, 0x00069003, struct.pack("<IHHII", 1, 0x1F, 1, 1, 2**32 - 1)),
        tnef()[:6] + attribute(1, 0x00069003, struct.pack("<IHH", 1, 0x7777, 1)),
    ],
)
def test_limits(stream):
    with pytest.raises(DecodingError):
        parse_tnef(stream)


@settings(deadline=None, max_examples=300)
@given(st.floats(0, 1), st.binary(max_size=6), st.integers(0, 10))
def test_mutated_streams_raise_nothing_else(where, insertion, cut):
    position = int(where * len(WINMAIL))
    with contextlib.suppress(DecodingError):
        smime_entity(parse_tnef(WINMAIL[:position] + insertion + WINMAIL[position + cut :]))

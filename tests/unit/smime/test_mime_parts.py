"""The MIME tree: text, attachments, names, limits, and hostile input."""

import contextlib
import time
from base64 import b64decode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.certificates import NOW, ec_key, self_signed
from support.decryption import keys_of, no_keys
from support.mail_people import MailRoot
from support.opened import open_message
from support.smime_layers import FROM_ALICE, TEXT, encrypted, mixed, with_header

from sealwright.client.inspection import inspect_message, inspection_document
from sealwright.cms.signers import PrivateKeySigner
from sealwright.errors import DecodingError, DecryptionError
from sealwright.smime import fields
from sealwright.smime.compose import protect
from sealwright.smime.entities import parse_entity
from sealwright.smime.parts import contents_of, html_to_text, safe_file_name
from sealwright.smime.trust import Trust
from sealwright.smime.verdict import judge_message

MIXED = (
    b'Content-Type: multipart/mixed; boundary="=m"\r\n\r\npreamble\r\n--=m\r\n'
    b"Content-Type: multipart/alternative; boundary=alt\r\n\r\n--alt\r\n\r\nthe text\r\n--alt\r\n"
    b"Content-Type: text/html\r\n\r\n<p>the html</p>\r\n--alt--\r\n--=m \r\n"
    b"Content-Type: application/pdf; name=x.pdf\r\nContent-Transfer-Encoding: base64\r\n"
    b"Content-Disposition: attachment;\r\n filename*0*=utf-8''Rechn%C3%BC;\r\n filename*1=ng.pdf\r\n\r\nJVBE\r\nRg==\r\n"
    b"--=m\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nforwarded\r\n--=m--\r\nepilogue"
)


def test_text_and_attachments():
    contents = contents_of(parse_entity(MIXED), strip_legacy_display=False)
    attachments = contents.attachments
    assert contents.text == "the text"
    assert [(item.file_name, item.content_type, item.content) for item in attachments] == [
        ("Rechnüng.pdf", "application/pdf", b"%PDF"),
        ("message.eml", "message/rfc822", b"Subject: inner\r\n\r\nforwarded"),
    ]


def test_attachments_of_an_alternative_that_is_not_shown_stay():
    # Apple Mail writes multipart/alternative { text/plain, multipart/mixed { text/html, the attachments } }
    rich = mixed(b"Content-Type: text/html\r\n\r\n<p>rich", b"Content-Type: application/pdf; name=x.pdf\r\n\r\nx")
    message = mixed(b"\r\nplain", rich, boundary="alt", kind="alternative")
    contents = contents_of(parse_entity(message), strip_legacy_display=False)
    assert contents.text == "plain"
    assert [item.file_name for item in contents.attachments] == ["x.pdf"]


def test_a_signed_alternative_that_is_not_shown_is_errant():
    # RFC 9787: what is signed is the alternative that is left out, not what is shown
    part = b"Content-Type: application/pkcs7-mime; smime-type=signed-data\r\n\r\nx"
    message = mixed(mixed(part, boundary="in"), b"\r\nshown", boundary="alt", kind="alternative")
    contents = contents_of(parse_entity(message), strip_legacy_display=False)
    assert contents.text == "shown"
    assert [item.number for item in contents.errant] == ["1.1"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=?utf-8?q?a_b=C3=A4?=", "a bä"),
        ("=?utf-8?q?a=C3?=\r\n =?UTF-8?b?pGI=?=", "aäb"),  # a character split between words
        ("=?iso-8859-1?q?=E4?= =?utf-8?q?=C3=A4?= c", "ää c"),
        ("a =?utf-8*de?q?b?= c", "a b c"),
        ("=?utf-8?x?a?= =?utf-8?q?a", "=?utf-8?x?a?= =?utf-8?q?a"),
        ("=?utf-7?q?+ADw-?=", "+ADw-"),
        ("=?utf-8?q?=1B[2J=0D=0AFrom:_x?=", "[2J From: x"),
    ],
)
def test_encoded_words(value, text):
    assert fields.decode_field(value.encode()) == text


def test_html_is_shown_as_text_only():
    html = "<head><title>t</title></head><style>x</style>a&amp;b<img src='http://x/"
    assert html_to_text(html + "'>c<script>d</script><p>e</p>f<br>g") == "a&bc\ne\nf\ng\n"


def test_legacy_display_is_left_out():
    plain = b'Content-Type: text/plain; hp-legacy-display="1"\r\n\r\nSubject: real\r\n\r\nthe text\r\n'
    html = (
        b'Content-Type: text/html; hp-legacy-display="1"\r\n\r\n<div class="header-protection-legacy-display"><div>'
        b"<pre>Subject: real</pre></div></div><p>the text</p>"
    )
    for message in (plain, html):
        text = contents_of(parse_entity(message), strip_legacy_display=True).text
        assert text.strip() == "the text"
        text = contents_of(parse_entity(message), strip_legacy_display=False).text
        assert "real" in text


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Temp\\a.txt", "a.txt"),
        ("..", "attachment"),
        ("", "attachment"),
        (".bashrc", "bashrc"),
        ("a\r\nb\0.txt", "a b .txt"),
        ("invoice\u202efdp.exe", "invoice fdp.exe"),
        ("=?utf-8?q?=2E=2E=2Fa=2Epdf?=", "a.pdf"),
    ],
)
def test_file_names_stay_in_their_folder(name, safe):
    assert safe_file_name(name) == safe


def test_several_from_fields_are_all_reported():
    header, _ = fields.split_entity(b'From: "alice@good.test" <mallory@evil.test>\r\nfrom: bob@good.test\r\n\r\n')
    assert fields.addresses(header, "from") == ("mallory@evil.test", "bob@good.test")


@pytest.mark.parametrize("encoded", [b"YWJj", b"YWJjZA==", b"YWJjZA", b"YW\r\nJj ZA=", b"YWJjZ"])
def test_base64_is_read_as_far_as_it_goes(encoded):
    assert fields.decode_body(encoded, b" Base64 ").startswith(b"abc")


def test_unknown_charsets_are_no_way_into_other_codecs():
    assert fields.decode_text(b"abc", "rot13") == "abc"
    assert fields.decode_text(b"\\u0041", "unicode_escape") == "\\u0041"
    assert fields.decode_text(b"\xe4", "ISO-8859-1") == "ä"


def test_nesting_and_parts_are_limited():
    nested = b"\r\ntext"
    for number in range(30):
        boundary = str(number).encode()
        nested = b"Content-Type: multipart/mixed; boundary=b" + boundary + b"\r\n\r\n--b" + boundary + b"\r\n" + nested
    many = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 3000
    for message in (nested, many):
        verdict = judge_message(message, no_keys, Trust(now=NOW))
        assert {each.code for each in verdict.cautions} == {"beyond-limits", "from-missing"}
        assert verdict.body_text is None
        assert [each.content for each in verdict.attachments] == [message]  # nothing is lost


@pytest.mark.parametrize(
    "message",
    [
        b"From: " + b"(" * 5000 + b"\r\n\r\n",
        b"From: " + b"a@b," * 200_000 + b"\r\n\r\n",
        b"Subject: " + b"=?utf-8?q?a?= " * 200_000 + b"\r\n\r\n",
        b"Subject: x\r\n" + b" folded\r\n" * 100_000 + b"\r\n",
        b"Content-Type: a/b" + b';a="\\' * 100_000 + b"\r\n\r\n",
        b"Content-Type: text/html\r\n\r\n" + b"<a" * 500_000,
        b"Content-Type: text/html\r\n\r\n" + b"<!" * 500_000,
        b"Content-Type: text/html\r\n\r\n" + b"<script>" + b"</" * 250_000,
        b"Content-Type: text/html\r\n\r\n" + b"&" * 500_000,
        b"Content-Type: text/html\r\n\r\n" + b"<a x=" * 100_000,
        b"Content-Type: text/html\r\n\r\n" + b"<!--" * 100_000,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"\r\n" * 500_000,
        b"Content-Type: text/html\r\n\r\n" + b" \n" * 250_000,
        b"Content-Type: text/html\r\n\r\n" + b"<b> " * 125_000,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b" + b" " * 500_000 + b"x",
    ],
)
def test_hostile_messages_take_no_long_time(message):
    begun = time.perf_counter()
    with contextlib.suppress(DecodingError):
        open_message(message, no_keys)
    assert time.perf_counter() - begun < 3


def test_many_protected_fields_take_no_long_time():
    bob = MailRoot().person("bob")
    fields = [b"X-Field: " + b"=?utf-8?q?a?= b " * 900 + b"\r\n"] * 150
    message = FROM_ALICE + encrypted(with_header(TEXT, *fields, protection="cipher"), bob)
    begun = time.perf_counter()
    verdict = inspect_message(message, bob.find_keys, Trust(now=NOW))
    assert inspection_document(verdict)["headers"]["protected"]
    assert time.perf_counter() - begun < 5


KEY = ec_key()
CERTIFICATE = self_signed(KEY, "alice")
PLAIN = b"From: a@example.test\r\nSubject: =?utf-8?b?YQ==?=\r\nMIME-Version: 1.0\r\n" + MIXED
SIGNED = protect(PLAIN, PrivateKeySigner(CERTIFICATE, KEY), [], signing_time=NOW)
ENCRYPTED = protect(PLAIN, PrivateKeySigner(CERTIFICATE, KEY), [CERTIFICATE], signing_time=NOW)


def only_documented_errors(message):
    with contextlib.suppress(DecodingError, DecryptionError):
        opened = open_message(message, keys_of((CERTIFICATE, KEY)))
        assert opened.body_text is None or isinstance(opened.body_text, str)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=600))
def test_arbitrary_octets(message):
    only_documented_errors(message)


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from([PLAIN, SIGNED, ENCRYPTED]),
    st.floats(0, 1),
    st.one_of(
        st.binary(max_size=8), st.sampled_from([b"\r\n", b"--", b'"', b"=?", b";", b"\0", b"=", b"\xff", b"<", b"--=m"])
    ),
    st.integers(0, 40),
)
def test_mutated_messages(message, where, insertion, cut):
    position = int(where * len(message))
    only_documented_errors(message[:position] + insertion + message[position + cut :])


FIELD_NAMES = ["From", "Subject", "Content-Type", "Content-Disposition", "Content-Transfer-Encoding"]


@settings(deadline=None, max_examples=500)
@given(
    st.sampled_from(FIELD_NAMES),
    st.lists(
        st.one_of(
            st.binary(max_size=5),
            st.sampled_from(
                [
                    b"a@b",
                    b"<",
                    b">",
                    b"(",
                    b")",
                    b'"',
                    b":",
                    b";",
                    b",",
                    b"=?utf-8?q?",
                    b"?=",
                    b"=?x?b?",
                    b"\\",
                    b"[",
                    b"]",
                    b"@",
                    b"multipart/mixed",
                    b"boundary=",
                    b"filename*0*=",
                    b"utf-8''%",
                    b"name=",
                    b"*=",
                    b"text/",
                    b"html",
                    b" ",
                    b".",
                ]
            ),
        ),
        max_size=12,
    ),
)
def test_arbitrary_field_values(name, pieces):
    only_documented_errors(name.encode() + b": " + b"".join(pieces) + b"\r\n\r\n--\r\nbody =41=\r\n")


@settings(max_examples=500)
@given(
    st.lists(st.sampled_from([b"Q", b"U", b"J", b"D", b"=", b"\r\n", b"-", b"\0", b"\xff"]), max_size=14),
    st.integers(0, 3),
)
def test_base64_of_any_octets_ends_at_the_first_padding_and_ignores_what_is_not_of_the_alphabet(pieces, before):
    """RFC 2045 section 6.8: other characters must be ignored; "=" only occurs at the end of the data."""
    kept = bytes(octet for octet in b"".join(pieces).partition(b"=")[0] if chr(octet) in "QUJD")
    whole = kept[: len(kept) - (len(kept) % 4 == 1)]
    octets = b"UUUU"[:before] + b"".join(pieces)
    assert fields.decode_body(octets, b"base64", start=before) == b64decode(whole + b"=" * (-len(whole) % 4))

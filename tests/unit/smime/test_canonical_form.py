"""RFC 8551 section 3.1: what is signed survives every mail server, and says the same as before."""

import quopri
from base64 import b64decode, encodebytes
from email import message_from_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.certificates import NOW, ec_key, rsa_key, self_signed
from support.unprotected import leaves, unprotected

from sealwright.cms.signers import PrivateKeySigner
from sealwright.errors import DecodingError, InputError
from sealwright.smime.algorithm_choice import Algorithms
from sealwright.smime.base64_text import base64_lines
from sealwright.smime.compose import Protection, protect
from sealwright.smime.fields import Field, decode_field, first, one_line
from sealwright.smime.header_fields import ascii_field
from sealwright.smime.transfer import MAX_LINE, canonical, crlf, is_7bit, quoted_printable

KEY, BOB_KEY = ec_key(), rsa_key()
ALICE, BOB = PrivateKeySigner(self_signed(KEY, "alice"), KEY), self_signed(BOB_KEY, "bob")
HEAD = b"From: alice@example.test\nTo: bob@example.test\nSubject: x\n"


def entity(content_type, body, encoding=b""):
    header = [Field("Content-Type", b" " + content_type)]
    if encoding:
        header.append(Field("Content-Transfer-Encoding", b" " + encoding))
    return canonical(header, body)


def encoding_of(header):
    return next((each.value.strip() for each in header if each.is_called("content-transfer-encoding")), b"")


LEAVES = {
    # what: (type, encoding, body, encoding afterwards)
    "ASCII stays": (b"text/plain", b"", b"a\nb\r\nc\r", b""),
    "a needless 8bit goes": (b"text/plain", b"8bit", b"plain\n", b""),
    "text outside ASCII": (b"text/plain; charset=utf-8", b"8bit", "Grüße aus München\n".encode(), b"quoted-printable"),
    "text that is hardly ASCII": (b"text/plain; charset=utf-8", b"8bit", "你好世界\n".encode(), b"base64"),
    "a long line": (b"text/plain", b"7bit", b"x" * 999 + b"\n", b"quoted-printable"),
    "the longest line": (b"text/plain", b"7bit", b"x" * 998 + b"\n", b""),
    "From at the beginning": (b"text/plain", b"7bit", b"From me\n", b"quoted-printable"),
    "From later": (b"text/plain", b"7bit", b"Hello\nFrom me\n\nFrom you\n", b"quoted-printable"),
    "NUL": (b"text/plain", b"7bit", b"a\0b\n", b"base64"),
    "data": (b"application/pdf", b"8bit", b"%PDF\xff\n", b"base64"),
    "binary text": (b"text/csv", b"binary", b"a\rb\nc\r\n", b"base64"),
    "base64 stays": (b"application/pdf", b"base64", b"JVBERg==\n", b"base64"),
    "base64 in one line": (b"application/pdf", b"base64", b"QUJD" * 400, b"base64"),
    "quoted-printable in one line": (b"text/plain", b"quoted-printable", b"abc=41" * 300, b"quoted-printable"),
    "an unknown encoding": (b"text/plain", b"x-uuencode", b"begin\n", b"x-uuencode"),
}


@pytest.mark.parametrize(("content_type", "encoding", "body", "expected"), LEAVES.values(), ids=LEAVES.keys())
def test_one_part(content_type, encoding, body, expected):
    header, written = entity(content_type, body, encoding)
    assert encoding_of(header) == expected
    assert is_7bit(written)
    assert b"\n" not in written.replace(b"\r\n", b"")
    assert b"\nFrom " not in b"\n" + written
    again = message_from_bytes(b"".join(field.line for field in header) + b"\r\n" + written)
    decoded = again.get_payload(decode=True)
    if encoding == b"base64":
        assert decoded == b64decode(body)
    elif encoding == b"binary":
        assert decoded == body
    elif encoding != b"quoted-printable":
        assert decoded == body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")


FOREIGN = (
    b'Content-Type: multipart/signed; protocol="application/pgp-signature"; boundary=s\n\n--s\n'
    b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nGr\xc3\xbc\xc3\x9fe, trailing \n"
    b"--s\nContent-Type: application/pgp-signature\n\nxyz\n--s--\n"
)


@pytest.mark.parametrize(
    "inner",
    [FOREIGN, b"Content-Type: message/rfc822\n\nSubject: f\nContent-Type: text/plain\n\nGr\xc3\xbc\xc3\x9fe\n"],
)
def test_what_is_signed_or_forwarded_inside_is_not_rewritten(inner):
    message = HEAD + b"Content-Type: multipart/mixed; boundary=m\n\n--m\n\ntext\n--m\n" + inner + b"\n--m--\n"
    for recipients in ([], [BOB]):
        sent = protect(message, ALICE, recipients, signing_time=NOW)
        assert inner.replace(b"\n", b"\r\n") in unprotected(sent, BOB_KEY)
        assert b"smime-type" in sent  # 8 bits that must not be touched: opaque


def test_a_multipart_keeps_its_preamble_epilogue_and_every_delimiter():
    body = b"pre\n--b \t\nContent-Type: text/plain\n\none\n--b\n--b\n\n\n--b--\nepi\n--b\nnot a part\xff"
    header, written = entity(b'multipart/mixed; boundary="b"', body, b"8bit")
    assert encoding_of(header) == b""
    assert written == body.replace(b"\n", b"\r\n")


def test_parts_are_encoded_where_they_lie():
    body = b"--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\nX: y\n\nf\xc3\xbcrs Fest\n--b--"
    _, written = entity(b"multipart/mixed; boundary=b", body)
    assert written == (
        b"--b\r\nContent-Type: text/plain; charset=utf-8\r\nX: y\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        b"f=C3=BCrs Fest\r\n--b--"
    )


def test_a_text_that_does_not_say_what_it_is():
    sent = protect(HEAD + "\nGrüße\n".encode(), ALICE, [], signing_time=NOW)
    inner = message_from_bytes(unprotected(sent))
    assert inner.get_content_charset() == "utf-8"
    assert inner.get_payload(decode=True) == "Grüße\r\n".encode()
    sent = protect(HEAD + b"\n\xe9\n", ALICE, [], signing_time=NOW)
    assert message_from_bytes(unprotected(sent)).get_content_charset() == "unknown-8bit"


def test_limits_are_those_of_the_reader():
    nested = b"\n\ntext"
    for number in range(30):
        nested = b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (number, number) + nested
    with pytest.raises(DecodingError):
        protect(HEAD + nested, ALICE, [], signing_time=NOW)
    many = HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 1500
    with pytest.raises(DecodingError):
        protect(many, ALICE, [], signing_time=NOW)


def test_two_transfer_encodings_are_refused():
    """Two programs would read two different texts."""
    twice = HEAD + b"Content-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: base64\n\nQUJD\n"
    with pytest.raises(InputError):
        protect(twice, ALICE, [], signing_time=NOW)


FIELDS = {
    "ASCII stays": (b"Subject: plain", b"Subject: plain"),
    "a subject": ("Subject: Grüße".encode(), b"Subject: =?utf-8?b?R3LDvMOfZQ==?="),
    "a name": ("To: Jürgen <j@example.test>".encode(), b"To: =?utf-8?b?SsO8cmdlbg==?= <j@example.test>"),
    "two mailboxes": (
        'Cc: "Müller, A." <a@example.test>, b@example.test'.encode(),
        b"Cc: =?utf-8?b?TcO8bGxlciwgQS4=?= <a@example.test>,\r\n b@example.test",
    ),
    "a domain": ("To: a@bücher.example".encode(), b"To: a@xn--bcher-kva.example"),
    "a local part has no ASCII form (RFC 6532)": ("To: jörg@example.test".encode(), "To: jörg@example.test".encode()),
    "another field": ("X-Note: ü".encode(), "X-Note: ü".encode()),
    "not UTF-8": (b"Subject: \xe9", b"Subject: \xe9"),
}


@pytest.mark.parametrize(("line", "expected"), FIELDS.values(), ids=FIELDS.keys())
def test_header_fields_in_ascii(line, expected):
    name, _, value = line.partition(b":")
    assert ascii_field(Field(name.decode(), value)).line == expected + b"\r\n"


@settings(deadline=None)
@given(st.text(max_size=300))
def test_encoded_words_say_the_same(text):
    text = " ".join(text.split()) or "x"
    written = ascii_field(Field("Subject", b" " + text.encode("utf-8", "replace")))
    assert text.isascii() or all(len(line) <= 76 for line in written.value.split(b"\r\n"))
    assert decode_field(first([written], "subject")) == one_line(text.encode("utf-8", "replace").decode())


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([b"From ", b"\r\n", b"x" * 80, b" ", b"\t", b"=", b".", b"\xc3\xbc", b"a"]), max_size=40)
)
def test_quoted_printable_says_the_same(pieces):
    text = b"".join(pieces)
    written = quoted_printable(text)
    assert all(len(line) <= 76 for line in written.split(b"\r\n"))
    assert b"\nFrom " not in b"\n" + written
    assert quopri.decodestring(written).replace(b"\r\n", b"\n") == text.replace(b"\r\n", b"\n")


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=60)


@st.composite
def parts(draw, depth=0):
    kind = draw(
        st.sampled_from(["text", "html", "data", "mixed", "alternative", "message"] if depth < 3 else ["text", "data"])
    )
    if kind in ("mixed", "alternative"):
        boundary = b"b%d-%d" % (depth, draw(st.integers(0, 10**6)))
        children = draw(st.lists(parts(depth + 1), min_size=1, max_size=3))
        body = b"".join(b"--" + boundary + b"\n" + child + b"\n" for child in children) + b"--" + boundary + b"--\n"
        return b"Content-Type: multipart/" + kind.encode() + b"; boundary=" + boundary + b"\n\n" + body
    if kind == "message":
        return b"Content-Type: message/rfc822\n\nSubject: inner\n" + draw(parts(3))
    if kind == "data":
        data = draw(st.binary(max_size=60))
        return b"Content-Type: application/x-data\nContent-Transfer-Encoding: base64\n\n" + encodebytes(data)
    subtype = b"html" if kind == "html" else b"plain"
    encoding = draw(st.sampled_from([b"8bit", b"7bit"]))
    text = draw(TEXT).encode()
    encoding = b"8bit" if not text.isascii() else encoding
    head = b"Content-Type: text/" + subtype + b"; charset=utf-8\nContent-Transfer-Encoding: " + encoding
    return head + b"\n\n" + text


@settings(deadline=None, max_examples=150)
@given(parts(), st.sampled_from(["signed", "opaque", "encrypted", "gcm", "triple", "binary"]))
def test_any_message_is_the_same_afterwards(part, form):
    message = HEAD + b"MIME-Version: 1.0\n" + part
    protection = Protection(
        opaque=form == "opaque",
        triple_wrap=form == "triple",
        algorithms=Algorithms("aes-256-gcm") if form == "gcm" else Algorithms(binary_inside=form == "binary"),
    )
    recipients = [] if form in ("signed", "opaque") else [BOB]
    sent = protect(message, ALICE, recipients, signing_time=NOW, protection=protection)
    assert sent.isascii()
    assert max(map(len, sent.split(b"\r\n"))) <= 998
    assert leaves(message_from_bytes(unprotected(sent, BOB_KEY))) == leaves(message_from_bytes(message))


@given(
    st.lists(
        st.tuples(st.sampled_from([0, 1, 997, 998, 999, 1000]), st.sampled_from([b"\r\n", b"\n", b""])), max_size=5
    )
)
def test_a_line_of_998_octets_survives_and_no_longer_one(lines):
    """RFC 5322 section 2.1.1: "Each line of characters MUST be no more than 998 characters, excluding the CRLF"."""
    text = b"".join(b"a" * size + end for size, end in lines)
    assert is_7bit(text) is all(len(line) <= MAX_LINE + 1 for line in text.split(b"\n"))


@pytest.mark.parametrize("size", [0, 1, 56, 57, 58, 57 * 256 - 1, 57 * 256, 57 * 256 + 1, 57 * 512 + 57])
def test_base64_has_lines_of_76_characters(size):
    data = bytes(size)
    assert base64_lines(data) == encodebytes(data).replace(b"\n", b"\r\n")


@given(st.lists(st.sampled_from([b"\r", b"\n", b"a"])))
def test_every_line_end_becomes_crlf(pieces):
    text = b"".join(pieces)
    assert crlf(text) == b"\r\n".join(text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"))

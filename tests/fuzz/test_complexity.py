"""Four times the hostile input costs about four times the work, or is refused early: nothing is quadratic.

What is measured is processor time, the best of several runs; a quadratic parser would take sixteen times as long.
"""

import base64
import gc
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from fuzz.targets import DECRYPTORS, LEAF, NOW, ROOT, TRUST
from support.certificates import ec_key, self_signed
from support.foreign_ca import root
from support.forged import Forged, oid, typical
from support.smime_layers import FROM_ALICE, TEXT, mixed

from sealwright.asn1.ber import cms_to_der
from sealwright.asn1.writer import tlv
from sealwright.client import key_files
from sealwright.cms import enveloped, schema, signed
from sealwright.cms.signers import PrivateKeySigner
from sealwright.errors import InputError, VerificationError
from sealwright.pkix.path import validate_path
from sealwright.smime import entities, fields, parts, reply, tnef
from sealwright.smime.originators import originators
from sealwright.smime.verdict import judge_message

GROWTH = 4
MAX_RATIO = 10.0
"""Between the 4 of linear work and the 16 of quadratic work."""
LEAST_SECONDS = 0.002
"""Below this, what is measured is noise."""

KEY = ec_key()
SIGNER = PrivateKeySigner(self_signed(KEY, "alice"), KEY)
AUTHORITY = root()
LEAVES = [AUTHORITY.leaf(f"L{number}").certificate for number in range(8)]


def chunked(count: int) -> bytes:
    """Return SignedData without signers, whose content comes in so many chunks."""
    content = b"\x24\x80" + b"\x04\x01a" * count + b"\0\0"
    info = b"\x30\x80" + oid(schema.DATA) + b"\xa0\x80" + content + b"\0\0" + b"\0\0"
    return (
        b"\x30\x80"
        + oid(schema.SIGNED_DATA)
        + b"\xa0\x80\x30\x80\x02\x01\x01\x31\x00"
        + info
        + b"\x31\x00"
        + b"\0\0" * 3
    )


def with_certificates(count: int) -> bytes:
    """Return SignedData with so many certificates that are none."""
    forged = Forged(SIGNER, b"x", typical(b"x"), certificates=[tlv(0x30, tlv(0x04, b"%d" % n)) for n in range(count)])
    return forged.message()


def with_recipients(count: int) -> bytes:
    """Return EnvelopedData to so many strangers."""
    infos = [
        tlv(
            0x30,
            b"\x02\x01\x02",
            tlv(0x80, b"%d" % n),
            tlv(0x30, oid("1.2.840.113549.1.1.1"), b"\x05\0"),
            tlv(0x04, b"k"),
        )
        for n in range(count)
    ]
    algorithm = tlv(0x30, oid("2.16.840.1.101.3.4.1.42"), tlv(0x04, bytes(16)))
    content = tlv(0x30, oid(schema.DATA), algorithm, tlv(0x80, bytes(16)))
    return schema.content_info(schema.ENVELOPED_DATA, tlv(0x30, b"\x02\x01\x02", tlv(0x31, *infos), content))


def entity(data: bytes) -> object:
    return parts.contents_of(entities.parse_entity(data), strip_legacy_display=True)


def judged(data: bytes) -> object:
    return judge_message(data, lambda _: DECRYPTORS, TRUST)


def header(data: bytes) -> None:
    found, _ = fields.split_entity(data)
    for each in found:
        fields.decode_field(each.value)
        fields.parameters(each.value)
    fields.addresses(found, "from")
    originators(found, "from")


def path(count: int) -> None:
    """Look for a path to a leaf among certificates that all name each other's issuer."""
    others = [LEAVES[number % len(LEAVES)] for number in range(count)]
    validate_path(LEAF, others, [ROOT], now=NOW, purpose="sign")


def tag_soup(count: int) -> bytes:
    return b"Content-Type: text/html\r\n\r\n" + b"<div class=x><!-- <p <style>" * count


def multipart(body: bytes, boundary: bytes = b"b") -> bytes:
    return b"Content-Type: multipart/mixed; boundary=" + boundary + b"\r\n\r\n" + body


def nested(count: int) -> bytes:
    heads = (b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(count))
    return b"".join(heads)


HOSTILE: dict[str, tuple[Callable[..., object], Callable[[int], object], int]] = {
    # what is fed: (parser, input of a size, size)
    "chunks of a content": (cms_to_der, chunked, 8_000),
    "chunks of a content, decoded": (schema.load_content, chunked, 8_000),
    "indefinite lengths that never end": (cms_to_der, lambda n: b"\x30\x80" * n, 20_000),
    "an indefinite length over many elements": (cms_to_der, lambda n: b"\x30\x80" + b"\x05\0" * n, 20_000),
    "certificates that are none": (lambda data: signed.examine(data, None), with_certificates, 400),
    "recipients": (lambda data: enveloped.decrypt(data, lambda _: []), with_recipients, 200),
    "recipients that all may be meant": (lambda data: enveloped.decrypt(data, lambda _: DECRYPTORS), with_recipients, 50),
    "certificates of a path": (path, lambda n: n, 500),
    "header fields": (header, lambda n: b"X: y\r\n" * n, 400),
    "lines of a folded field": (header, lambda n: b"Subject: a\r\n" + b" b\r\n" * n, 10_000),
    "parameters": (header, lambda n: b"Content-Type: a/b" + b"; x=1" * n, 1_000),
    "pieces of a parameter": (header, lambda n: b"Content-Type: a/b" + b"".join(b"; x*%d*=%%41" % i for i in range(n)), 500),
    "a quoted string that does not end": (header, lambda n: b'Content-Type: a/b; x="' + b"\\a" * n, 4_000),
    "opening quotes": (header, lambda n: b"From: " + b'"' * n, 1_000),
    "opening comments": (header, lambda n: b"From: " + b"(" * n, 1_000),
    "opening angle brackets": (header, lambda n: b"From: " + b"<a@b," * n, 500),
    "commas": (header, lambda n: b"From: " + b"a@b.c," * n, 500),
    "encoded words": (header, lambda n: b"Subject:" + b" =?utf-8?q?a?=" * n, 300),
    "encoded words that do not end": (header, lambda n: b"Subject: " + b"=?utf-8?q?" * n, 400),
    "blanks": (header, lambda n: b"Subject: a" + b" " * n + b"b", 4_000),
    "parts": (entity, lambda n: multipart(b"--b\r\n\r\nx\r\n" * n), 200),
    "lines that are nearly boundaries": (entity, lambda n: multipart(b"--bx\r\n" * n), 20_000),
    "boundaries of blanks": (entity, lambda n: multipart(b"--b" + b" " * n), 20_000),
    "nested entities": (judged, lambda n: FROM_ALICE + nested(n), 15),
    "parts in parts": (judged, lambda n: FROM_ALICE + mixed(*[mixed(TEXT, TEXT, boundary="in")] * n), 40),
    "tag soup": (entity, tag_soup, 3_000),
    "comments that do not end": (entity, lambda n: b"Content-Type: text/html\r\n\r\n" + b"<!--" * n, 20_000),
    "raw text that does not end": (entity, lambda n: b"Content-Type: text/html\r\n\r\n" + b"<style>" * n, 10_000),
    "character references": (entity, lambda n: b"Content-Type: text/html\r\n\r\n" + b"&amp" * n, 10_000),
    "white space in HTML": (entity, lambda n: b"Content-Type: text/html\r\n\r\n" + b" \n" * n, 20_000),
    "line breaks in HTML": (entity, lambda n: b"Content-Type: text/html\r\n\r\n" + b"<br> " * n, 10_000),
    "base64 garbage": (lambda data: fields.decode_body(data, b"base64"), lambda n: b"=!" * n, 100_000),
    "soft line breaks": (lambda data: fields.decode_body(data, b"quoted-printable"), lambda n: b"=\n= " * n, 100_000),
    "TNEF attributes": (tnef.parse_tnef, lambda n: b"\x78\x9f\x3e\x22\0\0" + b"\x02\0\x80\x01\0\0\0\0\0\0\0" * n, 2_000),
    "PEM heads": (key_files.load_certificate_file, lambda n: b"-----BEGIN CERTIFICATE-----\n" * n, 4_000),
    "PEM private key heads": (key_files.load_private_key_file, lambda n: b"-----BEGIN X-----\n" * n, 1_500),
    "PEM heads before one end": (key_files.load_certificate_file,
                                 lambda n: b"-----BEGIN A-----\n" * n + b"-----END B-----\n", 4_000),
    "message identifiers": (lambda data: reply._message_ids(fields.split_entity(data)[0], "references"),
                            lambda n: b"References: <" + b"@" * n + b"\r\n\r\n", 4_000),
    "base64 in a message": (judged, lambda n: FROM_ALICE + b"Content-Type: application/pkcs7-mime\r\n"
                            b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(bytes(n)), 200_000),
}  # fmt: skip


def seconds(parse: Callable[..., object], data: object) -> float:
    """Return the processor time of the fastest of a few runs."""
    best = float("inf")
    gc.disable()
    try:
        for _ in range(4):
            start = time.process_time()
            with suppress(InputError, VerificationError):
                parse(data)
            best = min(best, time.process_time() - start)
    finally:
        gc.enable()
    return best


@pytest.mark.parametrize("name", HOSTILE)
def test_work_grows_with_the_input_and_no_faster(name):
    parse, make, size = HOSTILE[name]
    small, large = make(size), make(size * GROWTH)
    for _ in range(3):  # a loaded machine may spoil one measurement
        before, after = seconds(parse, small), seconds(parse, large)
        if after <= max(before, LEAST_SECONDS) * MAX_RATIO:
            return
    pytest.fail(f"{size} take {before:.4f} s, {size * GROWTH} take {after:.4f} s")

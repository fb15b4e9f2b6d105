"""Rules of timestamp tokens and answers, each broken by itself; what an authority really makes is tested with `openssl ts`."""

import contextlib
import hashlib
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.certificates import ec_key, self_signed
from support.forged import CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_CERTIFICATE_V2, Forged, attribute, oid

from sealwright.asn1.der import content_of, elements
from sealwright.asn1.writer import tlv
from sealwright.cms import digests
from sealwright.cms.known_certificates import from_certificate
from sealwright.cms.signers import PrivateKeySigner
from sealwright.cms.timestamp import (
    TST_INFO,
    examine_timestamp,
    parse_timestamp_response,
    parse_tst_info,
    timestamp_request,
    verify_timestamp,
)
from sealwright.errors import DecodingError, InvalidSignatureError

KEY = ec_key()
TSA = PrivateKeySigner(self_signed(KEY, "tsa"), KEY)
SIGNATURE = b"a signature value"
VERSION, POLICY, SERIAL = b"\x02\x01\x01", oid("1.3.6.1.4.1.99999.3.1"), b"\x02\x01\x07"
IMPRINT = tlv(0x30, digests.SHA256.identifier_der, tlv(0x04, hashlib.sha256(SIGNATURE).digest()))
TIME = tlv(0x18, b"20260101120000Z")
NONCE, ACCURACY, ORDERING = b"\x02\x01\x2a", tlv(0x30, b"\x02\x01\x01"), b"\x01\x01\xff"
NAME = tlv(0xA0, tlv(0xA4, TSA.certificate.subject.public_bytes()))
HARMLESS = tlv(0xA1, tlv(0x30, oid("1.3.6.1.4.1.99999.4"), tlv(0x04, b"x")))
CRITICAL = tlv(0xA1, tlv(0x30, oid("1.3.6.1.4.1.99999.4"), b"\x01\x01\xff", tlv(0x04, b"x")))
WANTED = (VERSION, POLICY, IMPRINT, SERIAL, TIME)


def token(*fields, named=True, content_type=TST_INFO, infos=1):
    """Return a correctly signed token over TSTInfo fields."""
    content = tlv(0x30, *(fields or WANTED))
    attributes = [
        attribute(CONTENT_TYPE, oid(content_type)),
        attribute(MESSAGE_DIGEST, tlv(0x04, hashlib.sha256(content).digest())),
    ]
    if named:
        own_hash = from_certificate(TSA.certificate).sha256
        attributes.append(attribute(SIGNING_CERTIFICATE_V2, tlv(0x30, tlv(0x30, tlv(0x30, tlv(0x04, own_hash))))))
    forged = Forged(TSA, content, attributes, content_type=content_type)
    return forged.message(*(forged.signer_info() for _ in range(infos)))


def imprint(digest, *, of=SIGNATURE):
    return tlv(0x30, digest.identifier_der, tlv(0x04, digest.of(of)))


TOKENS = {
    "the least": (token(), ""),
    "everything": (token(*WANTED, ACCURACY, ORDERING, NONCE, NAME, HARMLESS), ""),
    "SHA-512": (token(VERSION, POLICY, imprint(digests.SHA512), SERIAL, TIME), ""),
    "a fraction of a second": (token(VERSION, POLICY, IMPRINT, SERIAL, tlv(0x18, b"20260101120000.25Z")), ""),
    "over something else": (token(VERSION, POLICY, imprint(digests.SHA256, of=b"x"), SERIAL, TIME), "imprint"),
    "SHA-1": (token(VERSION, POLICY, imprint(digests.SHA1), SERIAL, TIME), "unsupported"),
    "a digest that is not read": (
        token(VERSION, POLICY, tlv(0x30, tlv(0x30, POLICY), tlv(0x04, b"x")), SERIAL, TIME),
        "unsupported",
    ),
    "a critical extension": (token(*WANTED, CRITICAL), "unsupported"),
    # RFC 3161 section 2.4.2: the certificate identifier of the authority MUST be a signed attribute
    "an authority without a name": (token(named=False), "signature"),
    # "The time-stamp token MUST NOT contain any signatures other than the signature of the TSA"
    "two signatures": (token(infos=2), "malformed"),
    "not a TSTInfo": (token(content_type="1.2.840.113549.1.7.1"), "malformed"),
    "another version": (token(b"\x02\x01\x02", *WANTED[1:]), "malformed"),
    "no time": (token(*WANTED[:4]), "malformed"),
    "a UTCTime": (token(*WANTED[:4], tlv(0x17, b"260101120000Z")), "malformed"),
    "fields in another order": (token(*WANTED, NONCE, ORDERING), "malformed"),
    "two nonces": (token(*WANTED, NONCE, NONCE), "malformed"),
    "nothing": (b"", "malformed"),
}


@pytest.mark.parametrize("name", TOKENS)
def test_each_rule_of_a_token(name):
    encoded, expected = TOKENS[name]
    report = examine_timestamp(encoded, SIGNATURE, ())
    assert (report.problem, report.is_intact, bool(report.reason)) == (expected, not expected, bool(expected))
    if expected:
        with pytest.raises(InvalidSignatureError):
            verify_timestamp(encoded, SIGNATURE)


def test_what_a_token_says():
    report = verify_timestamp(TOKENS["everything"][0], SIGNATURE, nonce=42, policy="1.3.6.1.4.1.99999.3.1")
    assert report.gen_time == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert (report.serial_number, report.nonce, report.digest) == (7, 42, "sha256")
    assert report.signer.certificate == TSA.certificate
    with pytest.raises(InvalidSignatureError):  # the token has no nonce, and one was sent
        verify_timestamp(token(), SIGNATURE, nonce=42)


def test_sha1_imprints_hold_only_when_they_are_allowed():
    encoded = TOKENS["SHA-1"][0]
    assert examine_timestamp(encoded, SIGNATURE, (), allow_weak=True).is_intact


def test_a_request_is_what_the_standard_says():
    request = timestamp_request(SIGNATURE, nonce=42, policy="1.3.6.1.4.1.99999.3.1")
    fields = elements(content_of(0x30, request))
    assert [tlv(*field) for field in fields] == [VERSION, IMPRINT, POLICY, NONCE, b"\x01\x01\xff"]


STATUS = {number: tlv(0x30, bytes((2, 1, number))) for number in range(6)}


@pytest.mark.parametrize("number", STATUS)
@pytest.mark.parametrize("has_token", [True, False])
def test_statuses_of_an_answer(number, has_token):
    # RFC 3161 section 2.4.2: "When the status contains the value zero or one, a TimeStampToken MUST be present. When status
    # contains a value other than zero or one, a TimeStampToken MUST NOT be present."
    encoded = tlv(0x30, STATUS[number], token() if has_token else b"")
    if (number in (0, 1)) is not has_token:
        with pytest.raises(DecodingError):
            parse_timestamp_response(encoded)
        return
    response = parse_timestamp_response(encoded)
    assert (response.status, response.token is not None) == (number, has_token)


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"\x30\x00",
        tlv(0x30, tlv(0x30)),
        tlv(0x30, STATUS[0], token(), token()),
        tlv(0x30, b"\x05\x00"),
        b"\x00" * 300_000,
    ],
)
def test_malformed_answers(encoded):
    with pytest.raises(DecodingError):
        parse_timestamp_response(encoded)


TOKEN = token()


@settings(deadline=None, max_examples=300)
@given(st.integers(0, len(TOKEN) - 1), st.binary(max_size=6), st.integers(0, 12))
def test_a_mutated_token_is_judged_without_an_error(position, insertion, cut):
    report = examine_timestamp(TOKEN[:position] + insertion + TOKEN[position + cut :], SIGNATURE, ())
    assert not report.is_intact or report.gen_time == datetime(2026, 1, 1, 12, tzinfo=UTC)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=100))
def test_arbitrary_octets_give_one_error(data):
    for parse in (parse_timestamp_response, parse_tst_info):
        with contextlib.suppress(DecodingError):
            parse(data)

"""The rules of signed attributes, each broken by itself in a message that is otherwise signed correctly."""

import hashlib
from datetime import UTC, datetime

import pytest
from cryptography.hazmat import asn1
from support.forged import (
    ALGORITHM_PROTECTION,
    CAPABILITIES,
    CONTENT_TYPE,
    KEY_PREFERENCE,
    MESSAGE_DIGEST,
    SIGNING_CERTIFICATE,
    SIGNING_CERTIFICATE_V2,
    SIGNING_TIME,
    Forged,
    attribute,
    oid,
    typical,
)
from support.judged import ALICE, BOB, CONTENT, DER, NULL, UNKNOWN, only, problem

from sealwright.asn1.writer import tlv
from sealwright.cms import digests, schema, signed


def ess(certificate_hash, *, issuer=None, serial=None, algorithm=b"", tail=b""):
    """Return signingCertificate or signingCertificateV2 over one reference."""
    parts = [algorithm, tlv(0x04, certificate_hash)]
    if issuer is not None:
        parts.append(tlv(0x30, tlv(0x30, tlv(0xA4, issuer)), asn1.encode_der(serial)))
    return tlv(0x30, tlv(0x30, tlv(0x30, *parts), tail))


TYPE, DIGEST = typical(CONTENT)
ISSUER, SERIAL = ALICE.certificate.issuer.public_bytes(), ALICE.certificate.serial_number
SHA1, SHA256 = hashlib.sha1(DER).digest(), hashlib.sha256(DER).digest()
V1, V2 = SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2
TIME = attribute(SIGNING_TIME, tlv(0x17, b"260101120000Z"))
GOOD_PROTECTION = tlv(
    0x30, ALICE.algorithm.digest.identifier_der, b"\xa1" + ALICE.algorithm.signature.identifier_der[1:]
)
OTHER_PROTECTION = tlv(0x30, digests.SHA512.identifier_der, b"\xa1" + ALICE.algorithm.signature.identifier_der[1:])

SINGLE = {
    "contentType": (CONTENT_TYPE, oid(schema.DATA)),
    "messageDigest": (MESSAGE_DIGEST, tlv(0x04, hashlib.sha256(CONTENT).digest())),
    "signingTime": (SIGNING_TIME, tlv(0x17, b"260101120000Z")),
    "SMIMECapabilities": (CAPABILITIES, tlv(0x30)),
    "SMIMEEncryptionKeyPreference": (KEY_PREFERENCE, tlv(0x80, b"x")),
    "signingCertificate": (V1, ess(SHA1)),
    "signingCertificateV2": (V2, ess(SHA256)),
    "CMSAlgorithmProtection": (ALGORITHM_PROTECTION, GOOD_PROTECTION),
}

ATTRIBUTES = {
    "the two that must be there": ([TYPE, DIGEST], ""),
    "unsorted, signed as sent": ([DIGEST, TYPE], ""),
    "with a time": ([TYPE, TIME, DIGEST], ""),
    "one that is not known": ([TYPE, DIGEST, attribute(UNKNOWN, NULL)], ""),
    "one that is not known, with several values": ([TYPE, DIGEST, attribute(UNKNOWN, NULL, NULL)], ""),
    "a key preference": ([TYPE, DIGEST, attribute(KEY_PREFERENCE, tlv(0x80, b"x"))], ""),
    # RFC 5652 section 11.1: "the content-type attribute ... MUST be present"
    "no contentType": ([DIGEST], "attributes-missing"),
    "no messageDigest": ([TYPE], "attributes-missing"),
    "none at all in the set": ([], "attributes-malformed"),
    "another contentType": ([attribute(CONTENT_TYPE, oid(schema.SIGNED_DATA)), DIGEST], "content-type-mismatch"),
    "contentType is no OID": ([attribute(CONTENT_TYPE, NULL), DIGEST], "attributes-malformed"),
    "another digest": ([TYPE, attribute(MESSAGE_DIGEST, tlv(0x04, bytes(32)))], "content-changed"),
    "half a digest": (
        [TYPE, attribute(MESSAGE_DIGEST, tlv(0x04, hashlib.sha256(CONTENT).digest()[:16]))],
        "content-changed",
    ),
    "an empty digest": ([TYPE, attribute(MESSAGE_DIGEST, tlv(0x04, b""))], "content-changed"),
    "messageDigest is no octets": ([TYPE, attribute(MESSAGE_DIGEST, NULL)], "attributes-malformed"),
    # RFC 5652 sections 11.1 to 11.3: "MUST NOT include multiple instances", "MUST have a single attribute value"
    **{
        f"{name} {how}": ([*others, *broken], "attributes-malformed")
        for name, (dotted, value) in SINGLE.items()
        for others in [[each for each in (TYPE, DIGEST) if oid(dotted) not in each]]
        for how, broken in (
            ("twice", [attribute(dotted, value)] * 2),
            ("with no value", [attribute(dotted)]),
            ("with two values", [attribute(dotted, value, value)]),
        )
    },
    "a time that is text": (
        [TYPE, DIGEST, attribute(SIGNING_TIME, tlv(0x0C, b"260101120000Z"))],
        "attributes-malformed",
    ),
    "a time without seconds": (
        [TYPE, DIGEST, attribute(SIGNING_TIME, tlv(0x17, b"2601011200Z"))],
        "attributes-malformed",
    ),
    "a 32nd of January": ([TYPE, DIGEST, attribute(SIGNING_TIME, tlv(0x17, b"260132120000Z"))], "attributes-malformed"),
    # RFC 6211 section 3: mismatch means that the algorithms were changed
    "protection": ([TYPE, DIGEST, attribute(ALGORITHM_PROTECTION, GOOD_PROTECTION)], ""),
    "protection of others": ([TYPE, DIGEST, attribute(ALGORITHM_PROTECTION, OTHER_PROTECTION)], "algorithm-mismatch"),
    "protection of nothing": ([TYPE, DIGEST, attribute(ALGORITHM_PROTECTION, tlv(0x30))], "algorithm-mismatch"),
    # RFC 8550 section 3: signingCertificate SHALL pick the signer's certificate
    "v1": ([TYPE, DIGEST, attribute(V1, ess(SHA1))], ""),
    "v1 and issuer": ([TYPE, DIGEST, attribute(V1, ess(SHA1, issuer=ISSUER, serial=SERIAL))], ""),
    "v2": ([TYPE, DIGEST, attribute(V2, ess(SHA256))], ""),
    "v2 and issuer": ([TYPE, DIGEST, attribute(V2, ess(SHA256, issuer=ISSUER, serial=SERIAL))], ""),
    "v1 and v2": ([TYPE, DIGEST, attribute(V1, ess(SHA1)), attribute(V2, ess(SHA256))], ""),
    "v2 with the default written out": (
        [TYPE, DIGEST, attribute(V2, ess(SHA256, algorithm=digests.SHA256.identifier_der))],
        "",
    ),
    "v2 with SHA-512": (
        [TYPE, DIGEST, attribute(V2, ess(hashlib.sha512(DER).digest(), algorithm=digests.SHA512.identifier_der))],
        "",
    ),
    "v2 and a chain": ([TYPE, DIGEST, attribute(V2, ess(SHA256, tail=tlv(0x30, tlv(0x04, bytes(32)))))], ""),
    "v1 of another": ([TYPE, DIGEST, attribute(V1, ess(bytes(20)))], "certificate-mismatch"),
    "v2 of another": ([TYPE, DIGEST, attribute(V2, ess(bytes(32)))], "certificate-mismatch"),
    "v2 right, v1 wrong": (
        [TYPE, DIGEST, attribute(V1, ess(bytes(20))), attribute(V2, ess(SHA256))],
        "certificate-mismatch",
    ),
    "v2 with another serial": (
        [TYPE, DIGEST, attribute(V2, ess(SHA256, issuer=ISSUER, serial=SERIAL + 1))],
        "certificate-mismatch",
    ),
    "v2 with another issuer": (
        [TYPE, DIGEST, attribute(V2, ess(SHA256, issuer=BOB.certificate.issuer.public_bytes(), serial=SERIAL))],
        "certificate-mismatch",
    ),
    "v2 with a digest that is not read": (
        [TYPE, DIGEST, attribute(V2, ess(bytes(16), algorithm=tlv(0x30, oid("1.2.840.113549.2.5"), NULL)))],
        "certificate-mismatch",
    ),
    "v2 of nobody": ([TYPE, DIGEST, attribute(V2, tlv(0x30, tlv(0x30)))], "attributes-malformed"),
    "v2 with an empty reference": (
        [TYPE, DIGEST, attribute(V2, tlv(0x30, tlv(0x30, tlv(0x30))))],
        "attributes-malformed",
    ),
    "an attribute that is none": ([TYPE, DIGEST, NULL], "attributes-malformed"),
    "an attribute without values": ([TYPE, DIGEST, tlv(0x30, oid(UNKNOWN))], "attributes-malformed"),
    "65 attributes": ([TYPE, DIGEST, *(attribute(f"{UNKNOWN}.{n}", NULL) for n in range(63))], "attributes-malformed"),
}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_each_rule_of_the_attributes(name):
    assert len(ATTRIBUTES) > 60
    attributes, expected = ATTRIBUTES[name]
    assert problem(attributes) == expected


def test_attributes_sent_in_another_order_than_signed():
    # RFC 5652 section 5.4: "a DER encoding of the SET OF"; a sender may put it otherwise on the wire
    in_order = sorted([TYPE, DIGEST, TIME])
    sent = in_order[::-1]
    assert problem(sent, order=in_order) == ""
    assert problem(sent, order=[in_order[1], in_order[0], in_order[2]]) == "signature-invalid"


def test_what_the_attributes_say():
    capabilities = tlv(0x30, tlv(0x30, oid("2.16.840.1.101.3.4.1.46")))
    preference = tlv(0x82, b"key")
    attributes = [
        TYPE,
        DIGEST,
        attribute(SIGNING_TIME, tlv(0x18, b"21500101120000Z")),
        attribute(CAPABILITIES, capabilities),
        attribute(KEY_PREFERENCE, preference),
    ]
    report = only(Forged(ALICE, CONTENT, attributes).message())
    assert report.is_intact
    assert report.signing_time == datetime(2150, 1, 1, 12, tzinfo=UTC)  # far ahead; the caller has the clock
    assert (report.capabilities, report.encryption_key_preference) == (capabilities, preference)
    assert report.has_signed_attributes


@pytest.mark.parametrize("moment", [datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC)])
def test_signing_times_around_2050(moment):
    # RFC 8551 section 2.5.1: UTCTime through 2049, GeneralizedTime after
    message = signed.sign(CONTENT, [ALICE], detached=False, signing_time=moment)
    assert only(message).signing_time == moment
    assert (tlv(0x18, b"20500101000000Z") in message) is (moment.year == 2050)

"""Countersignatures and other unsigned attributes: kept, judged, and never part of whether the signature holds."""

import hashlib

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from support.certificates import NOW
from support.forged import (
    COUNTERSIGNATURE,
    MESSAGE_DIGEST,
    SIGNING_TIME,
    Forged,
    attribute,
    oid,
    typical,
)
from support.judged import ALICE, BOB, CONTENT, DER, NULL, UNKNOWN, only

from sealwright.asn1.writer import tlv
from sealwright.cms import signed
from sealwright.cms.signed_data import load_signed_data
from sealwright.cms.unsigned_attributes import add_unsigned_attribute, parse_unsigned_attributes
from sealwright.errors import DecodingError, InputError

TYPE, DIGEST = typical(CONTENT)
TIME = attribute(SIGNING_TIME, tlv(0x17, b"260101120000Z"))


def countersigned(attributes, *, nested=b"", count=1, outer=None):
    """Return a message of Alice with Bob's signature over hers."""
    forged = Forged(ALICE, CONTENT, [TYPE, DIGEST])
    plain = only(forged.message())
    over = Forged(BOB, plain.signature, attributes(plain.signature), unsigned=nested).signer_info()
    forged.signer = _Fixed(ALICE, plain.signature)  # ECDSA is randomized: what is countersigned must be kept
    forged.unsigned = attribute(COUNTERSIGNATURE, *sorted([over] * count)) if outer is None else outer(over)
    forged.certificates = [DER, BOB.certificate.public_bytes(Encoding.DER)]
    return only(forged.message())


class _Fixed:
    """A signer that gives a signature made before."""

    def __init__(self, signer, signature):
        self.certificate, self.chain, self.algorithm = signer.certificate, signer.chain, signer.algorithm
        self._signature = signature

    def sign(self, _message):
        return self._signature


def digest_attribute(signature):
    return attribute(MESSAGE_DIGEST, tlv(0x04, hashlib.sha256(signature).digest()))


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (lambda signature: [digest_attribute(signature)], ""),
        (lambda _: None, ""),
        (lambda signature: [digest_attribute(signature), TIME], ""),
        # RFC 5652 section 11.4: "The signedAttributes field MUST NOT contain a content-type attribute"
        (lambda signature: [TYPE, digest_attribute(signature)], "content-type-mismatch"),
        (lambda _: [digest_attribute(CONTENT)], "content-changed"),
        (lambda _: [TIME], "attributes-missing"),
    ],
)
def test_countersignatures_are_judged(attributes, expected):
    report = countersigned(attributes)
    assert report.is_intact  # whatever lies over it
    (over,) = report.countersignatures
    assert (over.problem, over.certificate) == (expected, BOB.certificate)


def test_several_countersignatures_and_their_limit():
    typical_over = lambda signature: [digest_attribute(signature)]  # noqa: E731
    assert len(countersigned(typical_over, count=63).countersignatures) == 63
    with pytest.raises(DecodingError):
        countersigned(typical_over, count=64)
    # two attributes of this type are allowed
    twice = countersigned(typical_over, outer=lambda over: attribute(COUNTERSIGNATURE, over) * 2)
    assert [over.is_intact for over in twice.countersignatures] == [True, True]


@pytest.mark.parametrize("unsigned", [NULL, tlv(0x30), tlv(0x30, oid(UNKNOWN)), attribute(COUNTERSIGNATURE, NULL)])
def test_malformed_unsigned_attributes_are_malformed_cms(unsigned):
    with pytest.raises(DecodingError):
        signed.examine(Forged(ALICE, CONTENT, [TYPE, DIGEST], unsigned=unsigned).message(), None)


def test_unknown_unsigned_attributes_say_nothing():
    report = only(Forged(ALICE, CONTENT, [TYPE, DIGEST], unsigned=attribute(UNKNOWN, NULL, NULL)).message())
    assert (report.is_intact, report.countersignatures, report.timestamps) == (True, (), ())


def test_an_attribute_is_added_to_one_signature_and_changes_no_other():
    message = signed.sign(CONTENT, [ALICE, BOB], detached=False, signing_time=NOW)
    first, second = signed.verify(message, None).signers
    once = add_unsigned_attribute(message, first.signature, oid(UNKNOWN), NULL)
    twice = add_unsigned_attribute(once, first.signature, oid(UNKNOWN), tlv(0x04, b"x"))
    for changed in (once, twice):
        assert {each.signature for each in signed.verify(changed, None).signers} == {first.signature, second.signature}
    added = {info.signature: info.unsigned_attributes for info in load_signed_data(twice).signer_infos}
    assert parse_unsigned_attributes(added[first.signature]) == {oid(UNKNOWN): [NULL, tlv(0x04, b"x")]}
    assert added[second.signature] == b""
    with pytest.raises(InputError):
        add_unsigned_attribute(message, b"another", oid(UNKNOWN), NULL)

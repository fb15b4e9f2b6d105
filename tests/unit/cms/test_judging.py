"""The rules of a signature, each broken by itself in a message that is otherwise signed correctly."""

import contextlib
import hashlib

import pytest
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric import ed448, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st
from support.certificates import ec_key, self_signed
from support.forged import (
    CONTENT_TYPE,
    COUNTERSIGNATURE,
    MESSAGE_DIGEST,
    SIGNING_TIME,
    Forged,
    attribute,
    oid,
    typical,
)
from support.judged import ALICE, BOB, CONTENT, DER, EC, NULL, RSA, UNKNOWN, only, problem

from sealwright.asn1.der import content_of, elements
from sealwright.asn1.writer import tlv
from sealwright.cms import digests, signed
from sealwright.cms.signature_algorithms import SignatureAlgorithm, SigningAlgorithm, signature_algorithm_for
from sealwright.cms.signers import PrivateKeySigner
from sealwright.errors import DecodingError, InvalidSignatureError

TYPE, DIGEST = typical(CONTENT)
ISSUER = ALICE.certificate.issuer.public_bytes()
TIME = attribute(SIGNING_TIME, tlv(0x17, b"260101120000Z"))


def test_without_attributes_the_content_alone_is_signed():
    report = only(Forged(ALICE, CONTENT).message())
    assert (report.is_intact, report.has_signed_attributes, report.signing_time) == (True, False, None)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (tlv(0x31, TYPE, DIGEST), "ambiguous-content"),
        (tlv(0x31, TYPE, attribute(UNKNOWN, tlv(0x04, bytes(300)))), "ambiguous-content"),
        (tlv(0x31, TYPE, DIGEST) + b"x", ""),
        (tlv(0x31, NULL), ""),
        (b"100 sheep", ""),
        (b"1", ""),
        (b"", ""),
    ],
)
def test_a_content_that_could_be_attributes(content, expected):
    # draft-ietf-lamps-cms-euf-cma-signeddata: what a victim signed as attributes is shown as a content it signed
    assert only(Forged(ALICE, content).message()).problem == expected


def test_other_content_types_need_attributes_and_a_caller_who_expects_them():
    other = "1.2.840.113549.1.9.16.1.4"
    typed = [attribute(CONTENT_TYPE, oid(other)), DIGEST]
    for attributes, expected in ((None, "attributes-missing"), (typed, ""), ([TYPE, DIGEST], "content-type-mismatch")):
        message = Forged(ALICE, CONTENT, attributes, content_type=other).message()
        assert only(message, content_types=(other,)).problem == expected
        with pytest.raises(DecodingError):
            signed.examine(message, None)


def test_a_content_beside_a_content_is_refused():
    message = Forged(ALICE, CONTENT, [TYPE, DIGEST])
    with pytest.raises(DecodingError):
        signed.examine(message.message(), CONTENT)
    with pytest.raises(DecodingError):
        signed.examine(message.message(e_content=False), None)
    assert only(message.message(e_content=False), CONTENT).is_intact


def rsa_signer(key, algorithm, digest):
    signer = PrivateKeySigner(BOB.certificate, RSA)
    signer.certificate, signer._private_key = self_signed(key, "old"), key
    signer.algorithm = SigningAlgorithm(signature_algorithm_for(algorithm), digest)
    return signer


def with_digest(signer, digest, **changes):
    value = tlv(0x04, digest.of(CONTENT))
    return Forged(
        signer, CONTENT, [TYPE, attribute(MESSAGE_DIGEST, value)], digest_algorithm=digest.identifier_der, **changes
    )


ML_DSA_65 = "2.16.840.1.101.3.4.3.18"
RSA_SHA1, RSA_SHA256 = "1.2.840.113549.1.1.5", "1.2.840.113549.1.1.11"


def identifier(dotted, *parameters):
    return tlv(0x30, oid(dotted), *parameters)


@pytest.mark.parametrize(
    ("signer", "weaknesses"),
    [
        (rsa_signer(RSA, identifier(RSA_SHA1, NULL), digests.SHA1), ("sha1",)),
        (
            rsa_signer(rsa.generate_private_key(65537, 1024), identifier(RSA_SHA256, NULL), digests.SHA256),
            ("rsa-1024",),
        ),
        (
            rsa_signer(rsa.generate_private_key(65537, 1024), identifier(RSA_SHA1, NULL), digests.SHA1),
            ("sha1", "rsa-1024"),
        ),
        (rsa_signer(RSA, identifier("1.2.840.113549.1.1.10", tlv(0x30)), digests.SHA1), ("sha1",)),
    ],
)
def test_weak_algorithms_hold_only_when_they_are_allowed(signer, weaknesses):
    message = with_digest(signer, signer.algorithm.digest).message()
    report = only(message)
    assert (report.problem, report.weaknesses) == ("weak-algorithm", weaknesses)
    report = only(message, allow_weak=True)
    assert (report.is_intact, report.weaknesses) == (True, weaknesses)
    with pytest.raises(InvalidSignatureError):
        signed.verify(message, None)
    # what does not hold is not excused by being weak
    assert only(message.replace(b"for Bob", b"for Eve"), allow_weak=True).problem == "content-changed"


def test_md5_is_never_read():
    md5 = identifier("1.2.840.113549.2.5", NULL)
    for changes in (
        {"digest_algorithm": md5},
        {"signature_algorithm": identifier("1.2.840.113549.1.1.4", NULL)},
        {"digest_algorithm": md5, "signature_algorithm": identifier("1.2.840.113549.1.1.1", NULL)},
    ):
        message = Forged(BOB, CONTENT, [TYPE, DIGEST], **changes).message()
        assert only(message, allow_weak=True).problem == "unsupported-algorithm"


def signer_of(key):
    return PrivateKeySigner(self_signed(key, "other"), key)


ED25519, ED448 = signer_of(ed25519.Ed25519PrivateKey.generate()), signer_of(ed448.Ed448PrivateKey.generate())
ML_DSA = {
    44: signer_of(mldsa.MLDSA44PrivateKey.generate()),
    65: signer_of(mldsa.MLDSA65PrivateKey.generate()),
    87: signer_of(mldsa.MLDSA87PrivateKey.generate()),
}


@pytest.mark.parametrize(
    ("signer", "digest", "changes", "expected"),
    [
        # rsaEncryption: the digest is that of the SignerInfo (RFC 3370 section 3.2)
        (BOB, digests.SHA256, {"signature_algorithm": identifier("1.2.840.113549.1.1.1", NULL)}, ""),
        (BOB, digests.SHA256, {"signature_algorithm": identifier("1.2.840.113549.1.1.1")}, ""),
        (BOB, digests.SHA256, {"signature_algorithm": identifier(RSA_SHA256)}, ""),
        # RFC 8933 section 3: the same digest MUST be used for content and attributes
        (BOB, digests.SHA512, {}, "algorithm-mismatch"),
        (ALICE, digests.SHA384, {}, "algorithm-mismatch"),
        # RFC 8419 section 2.3: Ed25519 MUST be with SHA-512, Ed448 with SHAKE256 of 512 bits
        (ED25519, digests.SHA512, {}, ""),
        (ED25519, digests.SHA256, {}, "algorithm-mismatch"),
        (ED25519, digests.SHA512, {"signature_algorithm": identifier("1.3.101.112", NULL)}, "unsupported-algorithm"),
        (ED448, digests.SHAKE256_LEN, {}, ""),
        (ED448, digests.SHAKE256, {}, ""),
        (ED448, digests.SHA512, {}, "algorithm-mismatch"),
        # RFC 9882 section 3.3: the digest must be as strong as the signature
        (ML_DSA[44], digests.SHA256, {}, ""),
        (ML_DSA[65], digests.SHA256, {}, "algorithm-mismatch"),
        (ML_DSA[65], digests.SHA384, {}, ""),
        (ML_DSA[65], digests.SHAKE128, {}, "algorithm-mismatch"),
        (ML_DSA[65], digests.SHA3_384, {}, ""),
        (ML_DSA[87], digests.SHA384, {}, "algorithm-mismatch"),
        (ML_DSA[87], digests.SHA512, {}, ""),
        (ML_DSA[87], digests.SHAKE256, {}, ""),
        (ML_DSA[87], digests.SHA3_512, {}, ""),
        (ML_DSA[44], digests.SHA1, {}, "algorithm-mismatch"),
        # parameters MUST be absent
        (
            ML_DSA[65],
            digests.SHA512,
            {"signature_algorithm": identifier("2.16.840.1.101.3.4.3.18", NULL)},
            "unsupported-algorithm",
        ),
        # a key of another kind than the algorithm
        (ALICE, digests.SHA256, {"signature_algorithm": identifier(RSA_SHA256, NULL)}, "algorithm-mismatch"),
        (
            ML_DSA[44],
            digests.SHA512,
            {"signature_algorithm": identifier(ML_DSA_65)},
            "algorithm-mismatch",
        ),
        (ED25519, digests.SHA512, {"signature_algorithm": identifier("1.3.101.113")}, "algorithm-mismatch"),
    ],
)
def test_digest_signature_and_key_belong_together(signer, digest, changes, expected):
    assert only(with_digest(signer, digest, **changes).message()).problem == expected


def test_the_digest_of_ml_dsa_without_attributes_is_ignored():
    # RFC 9882 section 3.3: without signed attributes it MUST be ignored
    assert only(Forged(ML_DSA[87], CONTENT, digest_algorithm=digests.SHA256.identifier_der).message()).is_intact


@pytest.mark.parametrize("name", ["absent", "null", "number"])
def test_parameters_of_a_digest(name):
    # RFC 5754 section 2: "Implementations MUST accept ... absent parameters ... [and] NULL parameters"
    parameters = {"absent": (), "null": (NULL,), "number": (b"\x02\x01\x01",)}[name]
    algorithm = identifier("2.16.840.1.101.3.4.2.1", *parameters)
    expected = "unsupported-algorithm" if name == "number" else ""
    assert problem([TYPE, DIGEST], digest_algorithm=algorithm) == expected


PSS, MGF1 = "1.2.840.113549.1.1.10", "1.2.840.113549.1.1.8"


def pss_parameters(digest=None, mask=None, salt=None, tail=b""):
    return identifier(
        PSS,
        tlv(
            0x30,
            tlv(0xA0, digest) if digest else b"",
            tlv(0xA1, identifier(MGF1, *([mask] if mask != b"none" else []))) if mask else b"",
            tlv(0xA2, asn1.encode_der(salt)) if salt is not None else b"",
            tail,
        ),
    )


SHA256_NULL = identifier("2.16.840.1.101.3.4.2.1", NULL)


@pytest.mark.parametrize(
    ("algorithm", "name"),
    [
        (pss_parameters(SHA256_NULL, SHA256_NULL, 32), "rsa-pss-sha256"),
        (pss_parameters(digests.SHA256.identifier_der, digests.SHA256.identifier_der, 0), "rsa-pss-sha256"),
        (pss_parameters(digests.SHA256.identifier_der, digests.SHA384.identifier_der, 222), "rsa-pss-sha256"),
        (pss_parameters(SHA256_NULL, SHA256_NULL), "rsa-pss-sha256"),
        (pss_parameters(), "rsa-pss-sha1"),
        (identifier(PSS), "rsa-pss-sha1"),
        (pss_parameters(SHA256_NULL, SHA256_NULL, -1), None),
        (pss_parameters(SHA256_NULL, SHA256_NULL, 2**31), None),
        (pss_parameters(SHA256_NULL, SHA256_NULL, 2**70), None),
        (pss_parameters(SHA256_NULL, b"none", 32), None),
        (pss_parameters(identifier("1.2.840.113549.2.5", NULL), SHA256_NULL, 32), None),
        (pss_parameters(SHA256_NULL, SHA256_NULL, 32, tlv(0xA3, b"\x02\x01\x02")), None),
        (identifier(PSS, NULL), None),
        (identifier(PSS, tlv(0x30), NULL), None),
    ],
)
def test_parameters_of_pss(algorithm, name):
    found = signature_algorithm_for(algorithm)
    assert (found.name if found else None) == name
    assert isinstance(found, SignatureAlgorithm | None)


def test_a_pss_salt_longer_than_the_key_is_a_wrong_signature():
    algorithm = pss_parameters(SHA256_NULL, SHA256_NULL, 500)
    message = Forged(BOB, CONTENT, [TYPE, DIGEST], signature_algorithm=algorithm).message()
    assert only(message).problem == "signature-invalid"


def test_a_signer_named_by_key_identifier():
    # RFC 8551 section 4.4: key identifiers may collide; "MUST" try each certificate that matches
    key_identifier = hashlib.sha1(b"shared").digest()
    mine, other = (self_signed(key, "twin", key_identifier=key_identifier) for key in (EC, ec_key()))
    sid = tlv(0x80, key_identifier)
    for certificates in ([mine, other], [other, mine]):
        encoded = [each.public_bytes(Encoding.DER) for each in certificates]
        message = Forged(ALICE, CONTENT, [TYPE, DIGEST], sid=sid, version=3, certificates=encoded).message()
        report = only(message)
        assert (report.certificate, report.is_intact) == (mine, True)
        assert report.identifier.subject_key_identifier == key_identifier
    changed = [self_signed(ec_key(), "twin", key_identifier=key_identifier).public_bytes(Encoding.DER)]
    message = Forged(ALICE, CONTENT, [TYPE, DIGEST], sid=sid, version=3, certificates=changed).message()
    assert only(message).problem == "signature-invalid"


def test_colliding_key_identifiers_are_tried_up_to_a_limit():
    key_identifier = b"shared"
    mine, *others = (
        self_signed(key, "twin", key_identifier=key_identifier) for key in (EC, *(ec_key() for _ in range(8)))
    )
    for before, expected in ((7, ""), (8, "signature-invalid")):
        encoded = [each.public_bytes(Encoding.DER) for each in (*others[:before], mine)]
        message = Forged(ALICE, CONTENT, [TYPE, DIGEST], sid=tlv(0x80, key_identifier), version=3, certificates=encoded)
        assert only(message.message()).problem == expected


@pytest.mark.parametrize(
    "sid", [tlv(0x30), tlv(0x30, ISSUER), tlv(0x30, ISSUER, NULL), tlv(0x81, b"x"), tlv(0x04, b"x")], ids=bytes.hex
)
def test_a_malformed_signer_identifier_is_malformed_cms(sid):
    with pytest.raises(DecodingError):
        signed.examine(Forged(ALICE, CONTENT, [TYPE, DIGEST], sid=sid).message(), None)


@pytest.mark.parametrize(("version", "is_read"), [(1, True), (3, True), (0, False), (2, False), (4, False)])
def test_versions_of_a_signer_info(version, is_read):
    message = Forged(ALICE, CONTENT, [TYPE, DIGEST], version=version).message()
    if is_read:
        assert only(message).is_intact
        return
    with pytest.raises(DecodingError):
        signed.examine(message, None)


def test_limits_of_a_message():
    forged = Forged(ALICE, CONTENT, [TYPE, DIGEST])
    info = forged.signer_info()
    assert len(signed.examine(forged.message(*[info] * 16), None).signers) == 16
    with pytest.raises(DecodingError):
        signed.examine(forged.message(*[info] * 17), None)
    with pytest.raises(DecodingError):
        signed.examine(Forged(ALICE, CONTENT, [TYPE, DIGEST], certificates=[DER] * 65).message(), None)
    with pytest.raises(DecodingError):
        signed.examine(Forged(ALICE, CONTENT, [TYPE, DIGEST], crls=[tlv(0x30)] * 65).message(), None)


def test_what_is_no_certificate_is_left_out():
    strange = [DER, tlv(0xA1, b""), tlv(0x30, b"\x02\x01\x01")]
    examined = signed.examine(Forged(ALICE, CONTENT, [TYPE, DIGEST], certificates=strange).message(), None)
    assert examined.certificates == (ALICE.certificate,)
    assert examined.signers[0].is_intact


def test_revocation_information_is_kept_for_the_path():
    crl, response = tlv(0x30, b"\x05\x00"), tlv(0x30, b"\x0a\x01\x00")
    ocsp = tlv(0xA1, oid("1.3.6.1.5.5.7.16.2"), response)  # RFC 5940 section 2.1
    other = tlv(0xA1, oid(UNKNOWN), response)
    examined = signed.examine(Forged(ALICE, CONTENT, [TYPE, DIGEST], crls=[crl, ocsp, other]).message(), None)
    assert (examined.crls, examined.ocsp_responses) == ((crl,), (response,))


def test_sets_in_any_order_are_read():
    """DER wants them sorted; many programs write signers and attributes as they come."""
    attributes = sorted([TYPE, DIGEST, TIME])[::-1]
    infos = [Forged(signer, CONTENT, attributes).signer_info() for signer in (ALICE, ALICE, BOB)]
    certificates = [DER, BOB.certificate.public_bytes(Encoding.DER)]
    forged = Forged(ALICE, CONTENT, attributes, certificates=certificates)
    for order in (infos, infos[::-1], infos[1:] + infos[:1]):
        message = forged.message(*order)
        for encoded in (message, as_indefinite(message)):
            reports = signed.verify(encoded, None).signers
            assert sorted(report.certificate.subject.rfc4514_string() for report in reports) == [
                "CN=alice",
                "CN=alice",
                "CN=bob",
            ]


def as_indefinite(message):
    """Write ContentInfo, its explicit content and SignedData with indefinite lengths (BER)."""
    (content_type, (_, explicit)), end = elements(content_of(0x30, message)), b"\x00\x00"
    body = content_of(0x30, explicit)
    return b"\x30\x80" + tlv(*content_type) + b"\xa0\x80\x30\x80" + body + end + end + end


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(["sid", "digest_algorithm", "signature_algorithm", "unsigned", "attributes"]), st.data())
def test_any_octets_in_a_field_give_a_report_or_one_error(field, data):
    good = {
        "sid": tlv(0x30, ISSUER, b"\x02\x01\x01"),
        "digest_algorithm": digests.SHA256.identifier_der,
        "signature_algorithm": ALICE.algorithm.signature.identifier_der,
        "unsigned": attribute(COUNTERSIGNATURE, Forged(BOB, CONTENT).signer_info()),
        "attributes": TYPE + DIGEST + TIME,
    }[field]
    start = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(start, len(good)))
    octets = good[:start] + data.draw(st.binary(max_size=8)) + good[end:]
    changes = {field: [octets] if field == "attributes" else octets}
    message = Forged(ALICE, CONTENT, **({"attributes": [TYPE, DIGEST]} | changes)).message()
    with contextlib.suppress(DecodingError):
        for report in signed.examine(message, None).signers:
            assert report.is_intact is not bool(report.problem)

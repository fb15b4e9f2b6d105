"""RSA recipients: every scheme, and what a wrong or unknown one gives."""

import contextlib
import secrets

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from support.certificates import rsa_key, self_signed
from support.decryption import any_key, keys_of
from support.envelopes import CONTENT, certificate_for, seal

from sealwright.asn1.writer import tlv
from sealwright.cms import algorithms, enveloped, schema
from sealwright.cms.identifiers import issuer_and_serial
from sealwright.cms.recipient_schema import KeyTransRecipientInfo
from sealwright.errors import DecryptionError

RSA = rsa_key()
CERTIFICATE = self_signed(RSA, "alice")
DIGESTS = {digest().name: (oid, digest) for oid, digest in algorithms.OAEP_DIGESTS.items()}


def key_trans(algorithm, encrypted_key):
    return KeyTransRecipientInfo(
        version=0,
        rid=issuer_and_serial(CERTIFICATE),
        key_encryption_algorithm=algorithm,
        encrypted_key=encrypted_key,
    )


def oaep(digest=None, mask=None, label=None, mask_function=algorithms.MGF1):
    """Return RSAES-OAEP with parameters of which any may be absent."""

    def identifier(oid):
        return schema.algorithm_der(schema.algorithm(oid, algorithms.NULL))

    fields = []
    if digest is not None:
        fields.append(tlv(0xA0, identifier(digest)))
    if mask is not None:
        fields.append(tlv(0xA1, schema.algorithm_der(schema.algorithm(mask_function, identifier(mask)))))
    if label is not None:
        fields.append(tlv(0xA2, schema.algorithm_der(schema.algorithm(algorithms.P_SPECIFIED, tlv(0x04, label)))))
    return schema.algorithm(algorithms.RSAES_OAEP, tlv(0x30, *fields))


@pytest.mark.parametrize("label", [None, b"", b"a label"])
@pytest.mark.parametrize("mask", [None, *DIGESTS])
@pytest.mark.parametrize("digest", [None, *DIGESTS])
def test_oaep_takes_digest_mask_digest_and_label_each_by_itself(digest, mask, label):
    """RFC 4055 section 4.1: each has SHA-1, or no label, as its default; Java sends SHA-256 with MGF1 over SHA-1."""
    digest_class, mask_class = (DIGESTS[name][1] if name else hashes.SHA1 for name in (digest, mask))
    key = secrets.token_bytes(32)
    scheme = padding.OAEP(padding.MGF1(mask_class()), digest_class(), label)
    algorithm = oaep(*(DIGESTS[name][0] if name else None for name in (digest, mask)), label)
    opened = enveloped.decrypt(seal([key_trans(algorithm, RSA.public_key().encrypt(key, scheme))], key), any_key(RSA))
    assert (opened.content, opened.key_management) == (CONTENT, f"rsa-oaep-{digest or 'sha1'}")


@pytest.mark.parametrize("parameters", [[], [algorithms.NULL], [b"\x30\x00"]])
def test_oaep_without_parameters_is_sha1(parameters):
    key = secrets.token_bytes(32)
    scheme = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
    algorithm = schema.algorithm(algorithms.RSAES_OAEP, *parameters)
    message = seal([key_trans(algorithm, RSA.public_key().encrypt(key, scheme))], key)
    assert enveloped.decrypt(message, any_key(RSA)).content == CONTENT


@pytest.mark.parametrize(
    "algorithm",
    [
        oaep(digest="1.2.840.113549.2.5"),
        oaep(mask="1.2.840.113549.2.5"),
        oaep(mask=algorithms.SHA1, mask_function="1.2.3"),
        schema.algorithm("1.2.3"),
        schema.algorithm(
            algorithms.RSAES_OAEP, tlv(0x30, tlv(0xA1, schema.algorithm_der(schema.algorithm(algorithms.MGF1))))
        ),
    ],
    ids=["digest", "mask digest", "mask function", "scheme", "mask without digest"],
)
def test_an_unknown_digest_is_never_taken_for_sha1(algorithm):
    """An unknown algorithm must refuse: taken for its default it would open what the identifier does not say."""
    key = secrets.token_bytes(32)
    scheme = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
    message = seal([key_trans(algorithm, RSA.public_key().encrypt(key, scheme))], key)
    with pytest.raises(DecryptionError):
        enveloped.decrypt(message, any_key(RSA))


@pytest.mark.parametrize("parameters", [[], [algorithms.NULL]])
def test_rsa_encryption_with_and_without_null(parameters):
    """RFC 3370 section 4.2.1: NULL is written; absent is accepted."""
    key = secrets.token_bytes(32)
    algorithm = schema.algorithm(algorithms.RSA_ENCRYPTION, *parameters)
    message = seal([key_trans(algorithm, RSA.public_key().encrypt(key, padding.PKCS1v15()))], key)
    assert enveloped.decrypt(message, any_key(RSA)).key_management == "rsa-pkcs1-v1.5"


@pytest.mark.parametrize("scheme", ["rsa-pkcs1-v1.5", "rsa-oaep-sha256"])
def test_what_is_written_names_its_scheme(scheme):
    message = enveloped.encrypt(CONTENT, [CERTIFICATE], cipher="aes-128-gcm", key_transport=scheme)
    opened = enveloped.decrypt(message, keys_of((CERTIFICATE, RSA)))
    assert (opened.content, opened.key_management, opened.warnings) == (CONTENT, scheme, ())


def wrong_keys():
    public, key = RSA.public_key(), secrets.token_bytes(32)
    return {
        "wrong padding": (key, secrets.token_bytes(256)),
        "too short": (key, public.encrypt(key[:16], padding.PKCS1v15())),
        "too long": (key, public.encrypt(key + key, padding.PKCS1v15())),
        "empty": (key, public.encrypt(b"", padding.PKCS1v15())),
        "another key": (key, public.encrypt(secrets.token_bytes(32), padding.PKCS1v15())),
        "not of the modulus' length": (key, secrets.token_bytes(255)),
        "larger than the modulus": (key, b"\xff" * 256),
        "nothing": (key, b""),
    }


@pytest.mark.parametrize("name", wrong_keys())
def test_every_wrong_key_gives_one_and_the_same_error(name):
    """RFC 3218: an attacker must not learn whether the padding or the length of the key was right."""
    key, encrypted_key = wrong_keys()[name]
    algorithm = schema.algorithm(algorithms.RSA_ENCRYPTION, algorithms.NULL)
    with pytest.raises(DecryptionError) as refused:
        enveloped.decrypt(seal([key_trans(algorithm, encrypted_key)], key), any_key(RSA))
    assert refused.value.message == DecryptionError().message


def test_a_wrong_key_opens_cbc_content_to_the_same_nonsense_each_time():
    """Were it other nonsense each time, asking 256 times would tell a substitute from a key that was wrapped."""
    algorithm, key = schema.algorithm(algorithms.RSA_ENCRYPTION, algorithms.NULL), secrets.token_bytes(32)
    for _ in range(20):
        encrypted_key = RSA.public_key().encrypt(b"short", padding.PKCS1v15())
        message = seal([key_trans(algorithm, encrypted_key)], key, "aes-256-cbc")
        outcomes = set()
        for _ in range(5):
            with contextlib.suppress(DecryptionError):
                outcomes.add(enveloped.decrypt(message, any_key(RSA)).content)
                continue
            outcomes.add(None)
        assert len(outcomes) == 1
        assert CONTENT not in outcomes


def test_a_short_rsa_key_is_read_and_reported():
    """RFC 8551 section 4.2: keys under 2,048 bits are not safe; old mail was written to them."""
    short = rsa.generate_private_key(65537, 1024)
    message = enveloped.encrypt(CONTENT, [certificate_for(short.public_key())], cipher="aes-128-gcm")
    opened = enveloped.decrypt(message, any_key(short))
    assert (opened.content, opened.warnings) == (CONTENT, ("rsa-short",))

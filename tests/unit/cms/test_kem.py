"""KEM recipients: the worked example of RFC 9936, each rule of RFC 9629, and the certificates of RFC 9935."""

import base64
import re
import secrets
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import mlkem
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from kyber_py.ml_kem import ML_KEM_512
from support.decryption import any_key, keys_of
from support.envelopes import CONTENT, certificate_for, seal

from sealwright.asn1.writer import tlv
from sealwright.cms import algorithms, enveloped, schema
from sealwright.cms.decryptors import PrivateKeyDecryptor
from sealwright.cms.identifiers import RecipientIdentifier, issuer_and_serial, subject_key_identifier
from sealwright.cms.recipient_schema import KEMRecipientInfo, OtherRecipientInfo
from sealwright.cms.recipients import wrapped_keys
from sealwright.errors import DecryptionError, UnsupportedAlgorithmError
from sealwright.pkix.private_keys import load_private_key

VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "lamps-kyber"
KEY = mlkem.MLKEM768PrivateKey.generate()
CERTIFICATE = certificate_for(KEY.public_key())
HKDF_SHA256 = schema.algorithm(algorithms.HKDF_SHA256)
WRAPS = {size: schema.algorithm(oid) for oid, size in algorithms.WRAP_KEY_BYTES.items()}


def value(name):
    return bytes.fromhex("".join((VECTORS / f"{name}.txt").read_text().split()))


def pem(path):
    return base64.b64decode("".join(re.findall(r"^[A-Za-z0-9+/=]+$", path.read_text(), re.MULTILINE)))


class MlKem512:
    """The example's key by another implementation; `seen` keeps what went through it."""

    def __init__(self):
        private_key = pem(VECTORS / "cms-ML-KEM-512-both.priv")
        self._expanded = private_key[-1632:]
        self.seen = []

    def decapsulate(self, ciphertext):
        shared = ML_KEM_512.decaps(self._expanded, ciphertext)
        self.seen.append((ciphertext, shared))
        return shared


def test_the_example_of_rfc_9936_opens_with_each_value_on_the_way():
    message, key = pem(VECTORS / "ML-KEM-512.cms"), MlKem512()
    opened = enveloped.decrypt(message, lambda _: [PrivateKeyDecryptor(key)])
    assert opened.content == (VECTORS / "plaintext.txt").read_bytes()
    assert (opened.key_management, opened.content_cipher, opened.warnings) == ("ml-kem-512", "aes-128-gcm", ())
    identifier = bytes.fromhex((VECTORS / "ML-KEM-512.keyid").read_text())
    assert opened.recipient == RecipientIdentifier(subject_key_identifier=identifier)
    assert key.seen == [(value("ciphertext"), value("shared_secret"))]
    (wrapped,) = wrapped_keys(schema.load_content(message).recipient_infos.as_list())
    assert wrapped.encrypted_key == value("encrypted_cek")
    assert PrivateKeyDecryptor(key).unwrap_key(wrapped) == value("cek")
    info = tlv(0x30, schema.algorithm_der(wrapped.info.wrap), asn1.encode_der(16))
    assert info == value("ori_info")
    assert HKDF(hashes.SHA256(), 16, None, info).derive(value("shared_secret")) == value("kek")


def kem_message(*, size=32, cipher="aes-256-gcm", **changes):
    """Return a message to `KEY`; `changes` replace fields of its KEMRecipientInfo."""
    key = secrets.token_bytes(16 if "128" in cipher else 32)
    shared, ciphertext = KEY.public_key().encapsulate()
    length = changes.get("kek_length", size)
    ukm = changes.get("ukm")
    info = tlv(
        0x30,
        schema.algorithm_der(WRAPS[size]),
        asn1.encode_der(length),
        b"" if ukm is None else tlv(0xA0, tlv(0x04, ukm)),
    )
    fields = {
        "version": 0,
        "rid": issuer_and_serial(CERTIFICATE),
        "kem": schema.algorithm("2.16.840.1.101.3.4.4.2"),
        "kemct": ciphertext,
        "kdf": HKDF_SHA256,
        "kek_length": length,
        "ukm": None,
        "wrap": WRAPS[size],
        "encrypted_key": keywrap.aes_key_wrap(HKDF(hashes.SHA256(), size, None, info).derive(shared), key),
        **changes,
    }
    value_der = schema.any_element(asn1.encode_der(KEMRecipientInfo(**fields)))
    other = OtherRecipientInfo(ori_type=x509.ObjectIdentifier(algorithms.KEM_RECIPIENT), ori_value=value_der)
    return seal([other], key, cipher)


@pytest.mark.parametrize("form", [issuer_and_serial, subject_key_identifier])
def test_both_forms_of_the_recipient_are_read(form):
    """RFC 9629 section 3: implementations MUST support both."""
    message = kem_message(rid=form(CERTIFICATE))
    assert enveloped.decrypt(message, keys_of((CERTIFICATE, KEY))).content == CONTENT


@pytest.mark.parametrize(
    ("wrap", "cipher", "warnings"),
    [
        (32, "aes-256-gcm", ()),
        (32, "aes-128-gcm", ()),
        (16, "aes-128-gcm", ("key-wrap-weak",)),
        (24, "aes-256-cbc", ("key-wrap-weak",)),
    ],
)
def test_a_weak_key_wrap_is_read_and_reported(wrap, cipher, warnings):
    """RFC 9936 section 2.2.1: ML-KEM-768 MUST go with AES-256-wrap; others have written AES-128."""
    opened = enveloped.decrypt(kem_message(size=wrap, cipher=cipher), keys_of((CERTIFICATE, KEY)))
    assert (opened.content, opened.warnings) == (CONTENT, warnings)


MISFITS = {
    "another kekLength": {"kek_length": 16},
    "a huge kekLength": {"kek_length": 2**40},
    "version": {"version": 1},
    "ukm": {"ukm": b"unknown use"},
    "another kdf": {"kdf": schema.algorithm("1.2.840.113549.1.9.16.3.29")},
    "kdf with parameters": {"kdf": schema.algorithm(algorithms.HKDF_SHA256, algorithms.NULL)},
    "another kem": {"kem": schema.algorithm("1.2.3")},
    "kem with parameters": {"kem": schema.algorithm("2.16.840.1.101.3.4.4.2", algorithms.NULL)},
    "another wrap": {"wrap": schema.algorithm("1.2.3")},
    "short ciphertext": {"kemct": b"short"},
    "another ciphertext": {"kemct": bytes(1088)},
    "another encrypted key": {"encrypted_key": bytes(40)},
    "no encrypted key": {"encrypted_key": b""},
}


@pytest.mark.parametrize("name", MISFITS)
def test_what_is_unknown_or_does_not_fit_opens_nothing(name):
    """RFC 9629: kekLength MUST fit the wrap, an unknown use of ukm stops gracefully; RFC 9936: no parameters."""
    with pytest.raises(DecryptionError) as refused:
        enveloped.decrypt(kem_message(**MISFITS[name]), any_key(KEY))
    assert refused.value.message == DecryptionError().message


@pytest.mark.parametrize("size", [768, 1024])
def test_the_sample_certificates_are_encrypted_to(size):
    certificate = x509.load_pem_x509_certificate((VECTORS / f"ML-KEM-{size}.crt").read_bytes())
    key = load_private_key((VECTORS / f"ML-KEM-{size}-both.priv").read_bytes())
    for cipher in ("aes-128-gcm", "aes-256-cbc", "chacha20-poly1305"):
        message = enveloped.encrypt(CONTENT, [certificate], cipher=cipher)
        opened = enveloped.decrypt(message, keys_of((certificate, key)))
        assert (opened.content, opened.key_management, opened.warnings) == (CONTENT, f"ml-kem-{size}", ())


def test_each_recipient_gets_a_secret_of_its_own():
    """RFC 9629 section 3: a fresh shared secret for each recipient."""
    infos = schema.load_content(enveloped.encrypt(CONTENT, [CERTIFICATE, CERTIFICATE])).recipient_infos.as_list()
    first, second = (each.info for each in wrapped_keys(infos))
    assert first.kemct != second.kemct
    assert first.encrypted_key != second.encrypted_key


def test_ml_kem_512_certificates_are_not_encrypted_to():
    certificate = x509.load_pem_x509_certificate((VECTORS / "ML-KEM-512.crt").read_bytes())
    with pytest.raises(UnsupportedAlgorithmError):
        enveloped.encrypt(CONTENT, [certificate])

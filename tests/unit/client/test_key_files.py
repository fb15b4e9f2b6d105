"""Keys, certificates and lists from files: every form that programs write, and files that are there to do harm."""

import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs7,
    pkcs12,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from support.certificates import rsa_key
from support.mail_people import MailRoot

from sealwright.client import key_files
from sealwright.cms.identifiers import RecipientIdentifier, subject_key_identifier
from sealwright.errors import DecodingError, InputError
from sealwright.pkix import pkcs12 as pkcs12_format

RFC9216 = Path(__file__).resolve().parents[2] / "vectors" / "rfc9216"
ROOT = MailRoot()
ALICE, BOB = ROOT.person("alice"), ROOT.person("bob", key=rsa_key())
PEM, DER = Encoding.PEM, Encoding.DER
BOTH = [ALICE.certificate, BOB.certificate]
PASSWORD = "pässword".encode()


def private_bytes(encoding=PEM, form=PrivateFormat.PKCS8, protection=None, key=BOB.key):
    return key.private_bytes(encoding, form, protection or NoEncryption())


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (ALICE.certificate.public_bytes(DER), BOTH[:1]),
        (b"Bag Attributes\n" + b"".join(each.public_bytes(PEM) for each in BOTH), BOTH),
        (private_bytes() + ALICE.certificate.public_bytes(PEM), BOTH[:1]),
        (pkcs7.serialize_certificates(BOTH, DER), BOTH),
        (pkcs7.serialize_certificates(BOTH, PEM), BOTH),
        (pkcs7.serialize_certificates(BOTH, PEM).replace(b"PKCS7", b"CMS"), BOTH),
    ],
)
def test_certificates(content, found):
    assert set(key_files.load_certificate_file(content)) == set(found)


@pytest.mark.parametrize("content", [b"", b"nothing", private_bytes(), b"0\x03\x02\x01\x00"])
def test_no_certificate_is_said(content):
    with pytest.raises(DecodingError):
        key_files.load_certificate_file(content)


def test_revocation_lists():
    crl = ROOT.crl()
    assert key_files.load_crl_file(crl.public_bytes(DER)) == (crl,)
    assert key_files.load_crl_file(crl.public_bytes(PEM) * 2) == (crl, crl)
    with pytest.raises(DecodingError):
        key_files.load_crl_file(ALICE.certificate.public_bytes(PEM))


@pytest.mark.parametrize("encoding", [PEM, DER])
@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_private_keys(encoding, form):
    loaded = key_files.load_private_key_file(private_bytes(encoding, form), [b"not needed"])
    assert loaded.public_key() == BOB.key.public_key()


@pytest.mark.parametrize("encoding", [PEM, DER])
def test_encrypted_private_keys_try_each_password(encoding):
    content = private_bytes(encoding, protection=BestAvailableEncryption(PASSWORD))
    loaded = key_files.load_private_key_file(content, [b"wrong", PASSWORD])
    assert loaded.public_key() == BOB.key.public_key()
    for passwords in ([], [b"wrong"]):
        with pytest.raises(InputError, match="none that was given opens it"):
            key_files.load_private_key_file(content, passwords)


def test_pkcs12():
    content = pkcs12.serialize_key_and_certificates(
        b"bob", BOB.key, BOB.certificate, [ROOT.certificate], BestAvailableEncryption(PASSWORD)
    )
    (loaded,) = key_files.load_pkcs12_file(content, [b"wrong", PASSWORD])
    assert (loaded.certificate, loaded.chain) == (BOB.certificate, (ROOT.certificate,))
    with pytest.raises(InputError, match="no password"):
        key_files.load_pkcs12_file(content)
    empty = pkcs12.serialize_key_and_certificates(None, None, None, [ROOT.certificate], NoEncryption())
    with pytest.raises(InputError, match="lacks a private key"):
        key_files.load_pkcs12_file(empty)


@pytest.mark.parametrize("option", ["-maciter", "-iter"])
def test_pkcs12_that_never_opens_is_refused_before_it_is_tried(tmp_path, option, monkeypatch):
    (tmp_path / "key.pem").write_bytes(private_bytes() + BOB.certificate.public_bytes(PEM))
    options = ["-iter", "1000"] if option == "-iter" else ["-nomaciter"]
    subprocess.run(
        ["openssl", "pkcs12", "-export", "-in", "key.pem", "-passout", "pass:x", "-out", "k.p12", *options],
        cwd=tmp_path,
        check=True,
    )
    content = (tmp_path / "k.p12").read_bytes()
    assert key_files.load_pkcs12_file(content, [b"x"])[0].certificate == BOB.certificate
    hostile = content.replace(b"\x02\x02\x03\xe8", b"\x02\x02\x7f\xff") if option == "-iter" else content
    assert option == "-maciter" or hostile != content
    monkeypatch.setattr(pkcs12_format, "MAX_ITERATIONS", 20_000 if option == "-iter" else 0)
    with pytest.raises(InputError, match="too long"):
        key_files.load_pkcs12_file(hostile, [b"x"])


def test_an_encrypted_key_that_never_opens_is_refused(monkeypatch):
    content = private_bytes(protection=BestAvailableEncryption(PASSWORD))
    monkeypatch.setattr(pkcs12_format, "MAX_ITERATIONS", 100)
    with pytest.raises(InputError, match="too long"):
        key_files.load_private_key_file(content, [PASSWORD])


@pytest.mark.parametrize(("file", "password"), [("07", b"alice"), ("12", b"bob"), ("20", b"carlos"), ("25", b"dana")])
def test_all_keys_of_a_backup_are_there(file, password):
    """Each file of RFC 9216 holds a signing and an encryption key, under 3DES."""
    content = (RFC9216 / f"{file}_PKCS12.der").read_bytes()
    found = key_files.load_pkcs12_file(content, [password])
    assert len({each.certificate for each in found}) == len(found) == 2
    usages = [each.certificate.extensions.get_extension_for_class(x509.KeyUsage).value for each in found]
    assert sorted(usage.digital_signature for usage in usages) == [False, True]
    assert all(len(each.chain) == 2 for each in found)


def test_keys_find_their_certificates_and_messages_their_keys():
    files = key_files.pair([BOB.key], [ALICE.certificate, BOB.certificate])
    assert [file.certificate for file in files] == [BOB.certificate]
    assert files[0].chain == (ALICE.certificate,)
    find_keys = key_files.keys_in(files)
    named = RecipientIdentifier(BOB.certificate.issuer.public_bytes(), BOB.certificate.serial_number)
    assert len(find_keys(named)) == 1
    assert len(find_keys(RecipientIdentifier(subject_key_identifier=subject_key_identifier(BOB.certificate)))) == 1
    assert len(find_keys(RecipientIdentifier(subject_key_identifier=b"other"))) == 0
    assert files[0].signer().certificate == BOB.certificate
    with pytest.raises(InputError, match="--cert"):
        key_files.pair([ed25519.Ed25519PrivateKey.generate()], [ALICE.certificate])


def test_no_key_is_in_a_repr():
    assert "RSAPrivateKey" not in repr(key_files.pair([BOB.key], [BOB.certificate]))


def test_files_are_bounded(tmp_path):
    (tmp_path / "large").write_bytes(b"x" * 11)
    with pytest.raises(InputError, match="too large"):
        key_files.read_file(tmp_path / "large", 10)
    with pytest.raises(InputError, match="cannot be read"):
        key_files.read_file(tmp_path / "missing")
    (tmp_path / "password").write_bytes(b"first line\r\nsecond\r\n")
    assert key_files.read_password(tmp_path / "password") == b"first line"


SAMPLES = [
    ALICE.certificate.public_bytes(PEM),
    pkcs7.serialize_certificates(BOTH, DER),
    private_bytes(DER),
    ROOT.crl().public_bytes(DER),
    pkcs12.serialize_key_and_certificates(b"bob", BOB.key, BOB.certificate, None, NoEncryption()),
]


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(SAMPLES), st.floats(0, 1), st.binary(max_size=6), st.integers(0, 20))
def test_broken_files_give_input_errors_only(sample, where, insertion, cut):
    place = int(where * len(sample))
    content = sample[:place] + insertion + sample[place + cut :]
    for load in (
        key_files.load_certificate_file,
        key_files.load_crl_file,
        key_files.load_private_key_file,
        key_files.load_pkcs12_file,
    ):
        try:
            load(content)
        except InputError:
            continue

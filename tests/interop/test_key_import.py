"""Old keys as other programs export them: what OpenSSL, NSS, gpgsm and Java write is read as the keys that went in."""

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from interop.test_gpgsm import Gpgsm
from interop.test_nss import Nss
from support import openssl36

from sealwright.cli.key_import import read_keys
from sealwright.client.importing import historic_keys
from sealwright.client.key_files import load_private_key_file
from sealwright.errors import InputError

PASSWORD = "a passphrase"
VECTORS = Path(__file__).parents[1] / "vectors" / "pkcs12"
OPENSSL_FORMS = {
    "as it is": (),
    "legacy": ("-legacy",),
    "rc2-128": ("-legacy", "-certpbe", "PBE-SHA1-RC2-128", "-keypbe", "PBE-SHA1-RC2-128"),
    "triple des": ("-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1"),
    "certificates in clear": ("-certpbe", "NONE"),
    "sha-512": ("-certpbe", "AES-256-CBC", "-keypbe", "AES-256-CBC", "-macalg", "sha512"),
}


def is_read(path, *issued):
    """Check that a file's keys are exactly these, each with its certificate."""
    keys, others = historic_keys(read_keys(path, [b"another one", PASSWORD.encode()], []))
    assert others == 0
    assert {key.certificates for key in keys} == {(each.certificate,) for each in issued}
    for key in keys:
        assert key.private_key.public_key() == key.certificates[0].public_key()
    return keys


def write_pem(folder, issued):
    clear = issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(clear)
    (folder / "certificate.pem").write_bytes(issued.certificate.public_bytes(Encoding.PEM))
    (folder / "chain.pem").write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in issued.chain))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("form", OPENSSL_FORMS)
@pytest.mark.parametrize("kind", ["rsa", "p256"])
def test_openssl(tmp_path, recipient, ec_recipient, form, kind):
    issued = recipient if kind == "rsa" else ec_recipient
    write_pem(tmp_path, issued)
    subprocess.run(
        ["openssl", "pkcs12", "-export", "-inkey", "key.pem", "-in", "certificate.pem", "-certfile", "chain.pem",
         "-out", "k.p12", "-passout", f"pass:{PASSWORD}", *OPENSSL_FORMS[form]],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    (key,) = is_read(tmp_path / "k.p12", issued)
    assert key.chain == issued.chain


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("form", [("pkcs8", "-topk8", "-v2", "aes-256-cbc"), ("pkcs8", "-topk8", "-nocrypt")])
def test_openssl_pkcs8_with_its_certificate_beside(tmp_path, recipient, form):
    write_pem(tmp_path, recipient)
    command = ["openssl", *form, "-in", "key.pem", "-out", "old.key", "-passout", f"pass:{PASSWORD}"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    files = read_keys(tmp_path / "old.key", [PASSWORD.encode()], [tmp_path / "certificate.pem"])
    assert [file.certificate for file in files] == [recipient.certificate]
    with pytest.raises(InputError):
        read_keys(tmp_path / "old.key", [PASSWORD.encode()], [])


@pytest.mark.skipif(shutil.which("pk12util") is None, reason="libnss3-tools is not installed")
@pytest.mark.parametrize(
    "form", [(), ("-c", "AES-256-CBC", "-C", "AES-256-CBC"), ("-c", "DES-EDE3-CBC", "-C", "RC2-CBC")]
)
def test_nss_with_all_the_keys_of_its_database(tmp_path, recipient, ec_recipient, form):
    nss = Nss(tmp_path, recipient, ec_recipient)
    for name, issued in (("key0", recipient), ("key1", ec_recipient)):
        nss.run("pk12util", "-o", f"{name}.p12", "-n", name, "-W", PASSWORD, *form)
        is_read(tmp_path / f"{name}.p12", issued)


@pytest.mark.skipif(shutil.which("gpgsm") is None, reason="gpgsm is not installed")
def test_gpgsm(passable_folder, recipient, people):
    folder = passable_folder / "gnupg-export"
    folder.mkdir()
    gpgsm = Gpgsm(folder, root=people.root)
    try:
        gpgsm.add(people.root, *recipient.chain)
        gpgsm.import_key(recipient)
        exported = gpgsm.run("--export-secret-key-p12", f"{recipient.certificate.serial_number:#X}".replace("0X", "#"))
        (folder / "k.p12").write_bytes(exported.stdout)
    finally:
        gpgsm.close()
    is_read(folder / "k.p12", recipient)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("java-17-keytool.p12", [rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey]),
        ("java-17-keytool-legacy.p12", [rsa.RSAPrivateKey]),
        ("openssl-3.6.5-pbmac1.p12", [rsa.RSAPrivateKey]),
    ],
)
def test_files_that_were_kept(name, kinds):
    keys, others = historic_keys(read_keys(VECTORS / name, [PASSWORD.encode()], []))
    assert others == 0
    assert len(keys) == len(kinds)
    for key, kind in zip(keys, kinds, strict=True):
        assert isinstance(key.private_key, kind)
        assert key.private_key.public_key() == key.certificates[0].public_key()


def test_openssl_3_6_ml_kem_as_pkcs8(tmp_path):
    openssl36.run("genpkey", "-algorithm", "ML-KEM-768", "-out", "kem.key", folder=tmp_path)
    content = (tmp_path / "kem.key").read_bytes()
    assert load_private_key_file(content).private_bytes_raw()


def test_no_password_that_fits_is_said_so(tmp_path, recipient):
    protection = BestAvailableEncryption(b"something else")
    file = pkcs12.serialize_key_and_certificates(b"k", recipient.key, recipient.certificate, None, protection)
    (tmp_path / "k.p12").write_bytes(file)
    with pytest.raises(InputError, match="no password that was given opens it"):
        read_keys(tmp_path / "k.p12", [PASSWORD.encode()], [])

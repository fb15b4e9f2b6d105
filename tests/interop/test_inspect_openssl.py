"""Messages by OpenSSL, old and new, and the people of RFC 9216, as `inspect` explains them from files."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from support.certificates import NOW
from support.mail_people import MailRoot

from sealwright.client.key_files import load_certificate_file, load_private_key_file
from sealwright.cms.signers import PrivateKeySigner
from sealwright.smime.algorithm_choice import Algorithms
from sealwright.smime.compose import Protection, protect

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
RFC9216 = Path(__file__).resolve().parent.parent / "vectors" / "rfc9216"
ROOT = MailRoot()
PEOPLE = {
    "alice": ROOT.person("alice"),
    "bob": ROOT.person("bob", key=rsa.generate_private_key(65537, 2048)),
    "short": ROOT.person("alice", key=rsa.generate_private_key(65537, 1024)),
}
HEADER = ["-from", "Alice <alice@example.test>", "-to", "bob@example.test", "-subject", "hello"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("openssl")
    for name, person in PEOPLE.items():
        (made / f"{name}.pem").write_bytes(person.certificate.public_bytes(Encoding.PEM))
        key = person.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (made / f"{name}.key").write_bytes(key)
    (made / "root.pem").write_bytes(ROOT.certificate.public_bytes(Encoding.PEM))
    (made / "crl.pem").write_bytes(ROOT.crl().public_bytes(Encoding.PEM))
    (made / "text").write_bytes(b"Content-Type: text/plain\r\n\r\nby another program\r\n")
    return made


def openssl(folder, *arguments):
    command = ["openssl", "cms", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, check=True, timeout=60).stdout


def inspect(folder, message, *arguments):
    (folder / "message").write_bytes(message)
    command = [sys.executable, "-m", "sealwright.cli.main", "inspect", "message", "--json", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=True, timeout=60)
    return json.loads(done.stdout)


def signed(folder, name="alice", *options, header=HEADER):
    return openssl(folder, "-sign", "-in", "text", "-signer", f"{name}.pem", "-inkey", f"{name}.key", *header, *options)


TRUST = ("--trust-anchor", "root.pem", "--crl", "crl.pem")
BOB = ("--key", "bob.key", "--cert", "bob.pem")


@pytest.mark.parametrize("options", [(), ("-nodetach",), ("-md", "sha512"), ("-keyid",), ("-stream",)])
def test_signed(folder, options):
    found = inspect(folder, signed(folder, "alice", *options), *TRUST)
    assert found["summary"]["authentic_author"] == "alice@example.test"
    assert found["body_text"] == "by another program\n"
    assert [each["code"] for each in found["warnings"]] == ["subject-not-protected"]


def test_a_signature_without_its_certificate(folder):
    message = signed(folder, "alice", "-nocerts")
    without = inspect(folder, message, *TRUST)
    assert without["layers"][0]["signers"][0]["problem"] == "certificate-missing"
    assert without["summary"]["signature_valid"] is False
    found = inspect(folder, message, *TRUST, "--certificate", "alice.pem")
    assert found["summary"]["authentic_author"] == "alice@example.test"


@pytest.mark.parametrize(
    ("name", "options", "weakness"), [("alice", ("-md", "sha1"), "sha1"), ("short", (), "rsa-1024")]
)
def test_weak_signatures_count_only_where_they_are_admitted(folder, name, options, weakness):
    message = signed(folder, name, *options)
    found = inspect(folder, message, *TRUST)
    assert (found["summary"]["signed"], found["summary"]["signature_valid"]) == (True, False)
    assert [each["code"] for each in found["warnings"]] == ["weak-signature"]
    found = inspect(folder, message, *TRUST, "--allow-weak")
    assert found["summary"]["authentic_author"] == "alice@example.test"
    assert [each["code"] for each in found["warnings"]] == ["weak-signature", "subject-not-protected"]
    assert weakness in found["layers"][0]["signers"][0]["weaknesses"]


@pytest.mark.parametrize(
    ("cipher", "codes", "authenticated"),
    [
        ("-aes-256-gcm", [], True),
        ("-aes128", ["encryption-without-integrity"], False),
        ("-des3", ["weak-encryption", "encryption-without-integrity"], False),
    ],
)
def test_encrypted(folder, cipher, codes, authenticated):
    message = openssl(folder, "-encrypt", cipher, "-in", "text", *HEADER, "bob.pem")
    found = inspect(folder, message, *BOB)
    assert [each["code"] for each in found["warnings"]] == codes
    encryption = found["layers"][0]["encryption"]
    assert (encryption["decrypted"], encryption["authenticated"]) == (True, authenticated)
    assert encryption["key_management"] == "rsa-pkcs1-v1.5"
    assert found["body_text"] == "by another program\n"
    assert found["summary"]["authentic_author"] is None


def test_signed_then_encrypted(folder):
    (folder / "inner").write_bytes(signed(folder, header=()))
    message = openssl(folder, "-encrypt", "-aes256", "-in", "inner", *HEADER, "bob.pem", "alice.pem")
    found = inspect(folder, message, *BOB, *TRUST)
    assert found["summary"] == {
        "encrypted": True,
        "signed": True,
        "signature_valid": True,
        "signer_matches_from": True,
        "authentic_author": "alice@example.test",
    }
    assert [each["code"] for each in found["warnings"]] == ["subject-not-protected"]


# RFC 9216: certificate and key for signatures, PKCS #12 file (of the encryption key), certificate for encryption
SAMPLE_PEOPLE = {
    "alice": ("03", "04", "07", "05"),
    "bob": ("08", "09", "12", "10"),
    "carlos": ("16", "17", "20", "18"),
    "dana": ("21", "22", "25", "23"),
}


@pytest.mark.parametrize(
    ("author", "reader"), [("alice", "bob"), ("bob", "carlos"), ("carlos", "dana"), ("dana", "alice")]
)
def test_the_people_of_rfc_9216(folder, author, reader):
    def content(number, kind):
        return (RFC9216 / f"{number}_{kind}.der").read_bytes()

    certificate, key, _, _ = SAMPLE_PEOPLE[author]
    _, _, p12, recipient = SAMPLE_PEOPLE[reader]
    (signing,) = load_certificate_file(content(certificate, "CERTIFICATE"))
    signer = PrivateKeySigner(signing, load_private_key_file(content(key, "PRIVATE_KEY")))
    mail = f"From: {author.title()} <{author}@smime.example>\r\nSubject: sample\r\n\r\nhello\r\n".encode()
    recipients = load_certificate_file(content(recipient, "CERTIFICATE"))
    protection = Protection(algorithms=Algorithms("aes-256-gcm"))
    message = protect(mail, signer, recipients, signing_time=NOW, protection=protection)
    (folder / "password").write_text(f"{reader}\n")
    found = inspect(
        folder,
        message,
        *("--p12", str(RFC9216 / f"{p12}_PKCS12.der"), "--password-file", "password"),
        *("--trust-anchor", str(RFC9216 / "00_CERTIFICATE.der"), "--trust-anchor", str(RFC9216 / "13_CERTIFICATE.der")),
    )
    assert found["summary"] == {
        "encrypted": True,
        "signed": True,
        "signature_valid": True,
        "signer_matches_from": True,
        "authentic_author": f"{author}@smime.example",
    }
    assert found["headers"]["protected"]["Subject"] == "sample"
    assert {each["code"] for each in found["warnings"]} == {"revocation-unknown"}

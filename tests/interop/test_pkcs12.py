"""What `sealwright keys export` writes, opened by OpenSSL, NSS and gpgsm."""

import shutil
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from interop.test_gpgsm import Gpgsm

from sealwright.client.export import pkcs12_file
from sealwright.client.state import MailboxKey

PASSWORD = "a passphrase"


@pytest.fixture(scope="module")
def mailbox_keys(recipient, ec_recipient):
    return {"rsa": (recipient, mailbox_key(recipient)), "p256": (ec_recipient, mailbox_key(ec_recipient))}


def mailbox_key(issued):
    return MailboxKey(
        key_id="1" * 32,
        slot="classical",
        generation=1,
        state="ACTIVE",
        algorithm="any",
        private_key_pkcs8=issued.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        certificates=(issued.certificate.public_bytes(Encoding.DER),),
        chain=tuple(each.public_bytes(Encoding.DER) for each in issued.chain),
    )


def run(folder, *command):
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("kind", ["rsa", "p256"])
@pytest.mark.parametrize("legacy", [False, True])
def test_openssl_opens_it(tmp_path, mailbox_keys, kind, legacy):
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    issued, key = mailbox_keys[kind]
    (tmp_path / "k.p12").write_bytes(pkcs12_file("bob@example.com", key, PASSWORD, legacy=legacy))
    old = ["-legacy"] if legacy else []
    out = run(tmp_path, "openssl", "pkcs12", "-in", "k.p12", "-passin", f"pass:{PASSWORD}", "-nodes", *old).stdout
    assert load_pem_private_key(out, None).public_key() == issued.key.public_key()
    assert x509.load_pem_x509_certificates(out) == [issued.certificate, *issued.chain]


@pytest.mark.parametrize("kind", ["rsa", "p256"])
@pytest.mark.parametrize("legacy", [False, True])
def test_nss_opens_it(tmp_path, mailbox_keys, kind, legacy):
    if shutil.which("pk12util") is None:
        pytest.skip("libnss3-tools is not installed")
    _, key = mailbox_keys[kind]
    (tmp_path / "k.p12").write_bytes(pkcs12_file("bob@example.com", key, PASSWORD, legacy=legacy))
    database = ("-d", f"sql:{tmp_path}")
    run(tmp_path, "certutil", "-N", "--empty-password", *database)
    run(tmp_path, "pk12util", "-i", "k.p12", "-W", PASSWORD, *database)
    assert b"bob@example.com" in run(tmp_path, "certutil", "-K", *database).stdout


@pytest.mark.skipif(shutil.which("gpgsm") is None, reason="gpgsm is not installed")
@pytest.mark.parametrize("legacy", [False, True])
def test_gpgsm_opens_the_legacy_form(passable_folder, mailbox_keys, people, legacy):
    folder = passable_folder / f"gnupg{legacy}"
    folder.mkdir()
    gpgsm = Gpgsm(folder, root=people.root)
    try:
        key = mailbox_keys["rsa"][1]
        imported = gpgsm.import_written(lambda: pkcs12_file("bob@example.com", key, PASSWORD, legacy=legacy))
        assert imported or not legacy  # gpgsm 2.2.40 does not read the other form, newer ones may
    finally:
        gpgsm.close()

"""Both directions with the `openssl cms` command."""

import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from support.certificates import NOW, ec_key, rsa_key, self_signed

from sealwright.cms import enveloped, signed

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
CONTENT = b"Content-Type: text/plain\r\n\r\nboth ways\r\n"


@pytest.fixture(params=["rsa", "ec"])
def person(request, tmp_path):
    key = rsa_key() if request.param == "rsa" else ec_key()
    certificate = self_signed(key, "alice")
    (tmp_path / "c.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (tmp_path / "k.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "m").write_bytes(CONTENT)
    return key, certificate, tmp_path


def openssl(folder, *arguments):
    return subprocess.run(["openssl", "cms", *arguments], cwd=folder, check=True, capture_output=True).stdout


@pytest.mark.parametrize("cipher", ["aes-256-cbc", "aes-256-gcm"])
def test_openssl_decrypts_what_we_encrypt(person, cipher):
    _, certificate, folder = person
    (folder / "e").write_bytes(enveloped.encrypt(CONTENT, [certificate], cipher=cipher))
    assert (
        openssl(folder, "-decrypt", "-binary", "-inform", "DER", "-in", "e", "-inkey", "k.pem", "-recip", "c.pem")
        == CONTENT
    )


@pytest.mark.parametrize("form", [[], ["-stream"], ["-keyid"]])
@pytest.mark.parametrize("cipher", ["-aes256", "-aes-128-cbc", "-aes-256-gcm"])
def test_we_decrypt_what_openssl_encrypts(person, cipher, form):
    key, certificate, folder = person
    message = openssl(folder, "-encrypt", "-binary", cipher, *form, "-outform", "DER", "-in", "m", "-recip", "c.pem")
    opened = enveloped.decrypt(message, lambda recipient: key if recipient.matches(certificate) else None)
    assert opened.content == CONTENT


@pytest.mark.parametrize("person", ["rsa"], indirect=True)
@pytest.mark.parametrize("digest", ["sha1", "sha256"])
def test_we_decrypt_oaep(person, digest):
    key, _, folder = person
    if "EllipticCurve" in type(key).__name__:
        pytest.skip("OAEP is for RSA keys")
    options = ["-keyopt", "rsa_padding_mode:oaep", "-keyopt", f"rsa_oaep_md:{digest}"]
    message = openssl(
        folder, "-encrypt", "-binary", "-aes256", "-outform", "DER", "-in", "m", "-recip", "c.pem", *options
    )
    assert enveloped.decrypt(message, lambda _: key).content == CONTENT


@pytest.mark.parametrize("detached", [True, False])
def test_openssl_verifies_what_we_sign(person, detached):
    key, certificate, folder = person
    (folder / "s").write_bytes(signed.sign(CONTENT, certificate, key, detached=detached, signing_time=NOW))
    content = ["-content", "m"] if detached else []
    trust = ["-CAfile", "c.pem", "-purpose", "any", "-cades"]
    assert openssl(folder, "-verify", "-binary", "-inform", "DER", "-in", "s", *content, *trust) == CONTENT


@pytest.mark.parametrize("options", [[], ["-stream"], ["-noattr"], ["-keyid"], ["-cades"], ["-md", "sha512"]])
def test_we_verify_what_openssl_signs(person, options):
    _, certificate, folder = person
    signer = ["-signer", "c.pem", "-inkey", "k.pem", "-nodetach", "-outform", "DER"]
    message = openssl(folder, "-sign", "-binary", "-in", "m", *signer, *options)
    verified = signed.verify(message, None)
    assert verified.content == CONTENT
    assert verified.signers[0].certificate == certificate

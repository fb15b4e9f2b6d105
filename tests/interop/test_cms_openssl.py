"""Both directions with the `openssl cms` command."""

import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from support.certificates import NOW, ec_key, rsa_key, self_signed
from support.decryption import any_key, keys_of, no_keys
from support.mixed_recipients import TEXT, planned
from support.opened import open_message

from sealwright.cms import enveloped, signed
from sealwright.cms.signers import PrivateKeySigner
from sealwright.smime import capabilities
from sealwright.smime.algorithm_choice import Recipient
from sealwright.smime.compose import Protection, protect

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
    opened = enveloped.decrypt(message, keys_of((certificate, key)))
    assert opened.content == CONTENT


@pytest.mark.parametrize("person", ["rsa"], indirect=True)
@pytest.mark.parametrize("digest", ["sha1", "sha256"])
def test_we_decrypt_oaep(person, digest):
    key, _, folder = person
    options = ["-keyopt", "rsa_padding_mode:oaep", "-keyopt", f"rsa_oaep_md:{digest}"]
    message = openssl(
        folder, "-encrypt", "-binary", "-aes256", "-outform", "DER", "-in", "m", "-recip", "c.pem", *options
    )
    assert enveloped.decrypt(message, any_key(key)).content == CONTENT


@pytest.mark.parametrize("detached", [True, False])
def test_openssl_verifies_what_we_sign(person, detached):
    key, certificate, folder = person
    (folder / "s").write_bytes(
        signed.sign(CONTENT, [PrivateKeySigner(certificate, key)], detached=detached, signing_time=NOW)
    )
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


def test_we_open_the_mail_that_openssl_encrypts(person):
    key, certificate, folder = person
    headers = ["-from", "a@example.test", "-to", "b@example.test", "-subject", "hello"]
    mail = openssl(folder, "-encrypt", "-aes256", "-outform", "SMIME", "-in", "m", *headers, "-recip", "c.pem")
    opened = open_message(mail, keys_of((certificate, key)))
    assert opened.encrypted
    assert not opened.headers_protected
    assert (opened.subject, opened.from_addresses) == ("hello", ("a@example.test",))
    assert opened.body_text == "both ways\n"


@pytest.mark.parametrize("options", [[], ["-nodetach"], ["-binary"], ["-text"]])
def test_we_open_the_mail_that_openssl_signs(person, options):
    _, certificate, folder = person
    signer = ["-signer", "c.pem", "-inkey", "k.pem", "-subject", "hello"]
    opened = open_message(openssl(folder, "-sign", "-in", "m", "-outform", "SMIME", *signer, *options), no_keys)
    assert opened.signature_error is None
    assert opened.verified == [certificate]
    assert "both ways" in opened.body_text


def test_we_open_mail_signed_then_encrypted_by_openssl(person):
    key, certificate, folder = person
    inner = openssl(folder, "-sign", "-in", "m", "-signer", "c.pem", "-inkey", "k.pem", "-outform", "SMIME")
    (folder / "inner").write_bytes(inner)
    mail = openssl(folder, "-encrypt", "-aes256", "-outform", "SMIME", "-in", "inner", "-recip", "c.pem")
    opened = open_message(mail, keys_of((certificate, key)))
    assert opened.encrypted
    assert opened.verified == [certificate]
    assert opened.body_text == "both ways\n"


MAIL = b"From: alice@example.test\r\nTo: bob@example.test\r\nSubject: the plan\r\n\r\nboth ways\r\n"


def test_openssl_opens_the_mail_that_we_protect(person):
    key, certificate, folder = person
    (folder / "e").write_bytes(protect(MAIL, PrivateKeySigner(certificate, key), [certificate], signing_time=NOW))
    inner = openssl(folder, "-decrypt", "-in", "e", "-inkey", "k.pem", "-recip", "c.pem")
    assert b"signed-data" in inner
    (folder / "s").write_bytes(inner)
    payload = openssl(folder, "-verify", "-in", "s", "-CAfile", "c.pem", "-purpose", "any")
    assert b"HP-Outer: Subject: [...]" in payload
    assert payload.endswith(b"\r\n\r\nboth ways\r\n")


def test_openssl_verifies_the_mail_that_we_sign(person):
    key, certificate, folder = person
    (folder / "s").write_bytes(protect(MAIL, PrivateKeySigner(certificate, key), [], signing_time=NOW))
    payload = openssl(folder, "-verify", "-in", "s", "-CAfile", "c.pem", "-purpose", "any")
    assert b"Subject: the plan" in payload


GCM = capabilities.named("aes-256-gcm", "aes-256-cbc")
FORMS = {
    # what is known: (capabilities, smime-type of the one copy)
    "nothing": (None, "enveloped-data"),
    "AES-256-GCM": (GCM, "authEnveloped-data"),
    "AES-256-GCM and OAEP": (capabilities.named("aes-256-gcm", "rsa-oaep-sha256"), "authEnveloped-data"),
}


@pytest.mark.parametrize(("known", "smime_type"), FORMS.values(), ids=FORMS.keys())
def test_openssl_reads_each_choice_of_algorithms(person, known, smime_type):
    key, certificate, folder = person
    (copy,) = planned(PrivateKeySigner(certificate, key), [Recipient(certificate, known)]).values()
    assert f"smime-type={smime_type}".encode() in copy
    (folder / "e").write_bytes(copy)
    (folder / "s").write_bytes(openssl(folder, "-decrypt", "-in", "e", "-inkey", "k.pem", "-recip", "c.pem"))
    payload = openssl(folder, "-verify", "-in", "s", "-CAfile", "c.pem", "-purpose", "any")
    assert TEXT in payload
    assert payload.partition(b"\r\n\r\n")[2].startswith(b"Subject: the plan\r\n\r\n")


def test_openssl_reads_triple_wrapping(person):
    key, certificate, folder = person
    signer, how = PrivateKeySigner(certificate, key), Protection(triple_wrap=True)
    (folder / "t").write_bytes(protect(MAIL, signer, [certificate], signing_time=NOW, protection=how))
    (folder / "e").write_bytes(openssl(folder, "-verify", "-in", "t", "-CAfile", "c.pem", "-purpose", "any"))
    (folder / "s").write_bytes(openssl(folder, "-decrypt", "-in", "e", "-inkey", "k.pem", "-recip", "c.pem"))
    assert b"both ways" in openssl(folder, "-verify", "-in", "s", "-CAfile", "c.pem", "-purpose", "any")

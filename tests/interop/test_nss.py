"""Both directions with NSS (the library of Thunderbird and Firefox): cmsutil, certutil and pk12util."""

import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs12
from support.certificates import NOW
from support.decryption import keys_of
from support.mixed_recipients import TEXT, planned
from support.opened import open_message

from sealwright.cms import enveloped, signed
from sealwright.cms.signers import PrivateKeySigner
from sealwright.smime.algorithm_choice import Recipient
from sealwright.smime.compose import protect

pytestmark = pytest.mark.skipif(shutil.which("cmsutil") is None, reason="libnss3-tools is not installed")
CONTENT = b"Content-Type: text/plain\r\n\r\nboth ways\r\n"
PASSWORD = "a passphrase"


class Nss:
    """An NSS database that trusts the organization's root and holds the given keys."""

    def __init__(self, folder, *held):
        self.folder = folder
        self.run("certutil", "-N", "--empty-password")
        for number, issued in enumerate(held):
            self.trust(issued.root)
            for each in issued.chain:
                self.run("certutil", "-A", "-n", f"sub{number}", "-t", ",,", given=der(each))
            self.import_key(f"key{number}", issued)

    def run(self, program, *arguments, given=None, may_fail=False):
        command = [program, *arguments, "-d", f"sql:{self.folder}"]
        done = subprocess.run(command, input=given, cwd=self.folder, capture_output=True, check=False, timeout=60)
        if done.returncode != 0 and not may_fail:
            raise AssertionError(f"{command}: {done.stderr.decode(errors='replace')}")
        return done

    def trust(self, root):
        self.run("certutil", "-A", "-n", "root", "-t", "CT,C,C", given=der(root))

    def import_key(self, name, issued):
        file = self.folder / f"{name}.p12"
        protection = BestAvailableEncryption(PASSWORD.encode())
        file.write_bytes(
            pkcs12.serialize_key_and_certificates(
                name.encode(), issued.key, issued.certificate, issued.chain, protection
            )
        )
        self.run("pk12util", "-i", str(file), "-W", PASSWORD)

    def cms(self, *arguments, given=None):
        return self.run("cmsutil", *arguments, given=given).stdout


def der(certificate):
    return certificate.public_bytes(Encoding.DER)


@pytest.fixture(scope="module")
def nss(tmp_path_factory, recipient, signers):
    return Nss(tmp_path_factory.mktemp("nss"), recipient, *signers.values())


def test_the_chain_is_valid_for_mail(nss):
    for number, usage in ((0, "R"), (1, "S"), (2, "S")):
        checked = nss.run("certutil", "-V", "-n", f"key{number}", "-u", usage, "-e")
        assert b"certificate is valid" in checked.stdout


def test_without_the_root_nothing_is_valid(tmp_path, signers):
    stranger = Nss(tmp_path)
    (tmp_path / "s").write_bytes(sign(signers["p256"], detached=False))
    done = stranger.run("cmsutil", "-D", "-i", "s", may_fail=True)
    assert done.returncode != 0 or b"both ways" not in done.stdout


def sign(issued, *, detached):
    return signed.sign(
        CONTENT, [PrivateKeySigner(issued.certificate, issued.key, issued.chain)], detached=detached, signing_time=NOW
    )


def test_nss_decrypts_what_we_encrypt(nss, recipient):
    (nss.folder / "e").write_bytes(enveloped.encrypt(CONTENT, [recipient.certificate]))
    assert nss.cms("-D", "-i", "e") == CONTENT


def test_we_decrypt_what_nss_encrypts(nss, recipient):
    (nss.folder / "m").write_bytes(CONTENT)
    message = nss.cms("-E", "-r", "bob@example.com", "-i", "m")
    opened = enveloped.decrypt(message, keys_of((recipient.certificate, recipient.key)))
    assert opened.content == CONTENT


@pytest.mark.parametrize("kind", ["p256", "rsa"])
@pytest.mark.parametrize("detached", [False, True])
def test_nss_verifies_what_we_sign(nss, signers, kind, detached):
    (nss.folder / "m").write_bytes(CONTENT)
    (nss.folder / "s").write_bytes(sign(signers[kind], detached=detached))
    told = nss.run("cmsutil", "-D", "-h", "0", "-i", "s", *(["-c", "m"] if detached else [])).stdout
    assert b"signer0.status=GoodSignature" in told
    if not detached:
        assert nss.cms("-D", "-i", "s") == CONTENT


@pytest.mark.parametrize("kind", ["p256", "rsa"])
def test_nss_refuses_a_changed_content(nss, signers, kind):
    (nss.folder / "m").write_bytes(CONTENT.replace(b"both", b"BOTH"))
    (nss.folder / "s").write_bytes(sign(signers[kind], detached=True))
    told = nss.run("cmsutil", "-D", "-h", "0", "-c", "m", "-i", "s", may_fail=True)
    assert b"GoodSignature" not in told.stdout


@pytest.mark.parametrize(("kind", "nickname"), [("p256", "key1"), ("rsa", "key2")])
@pytest.mark.parametrize("detached", [False, True])
def test_we_verify_what_nss_signs(nss, signers, kind, nickname, detached):
    (nss.folder / "m").write_bytes(CONTENT)
    message = nss.cms(
        "-S", "-N", nickname, "-H", "SHA256", "-G", "-Y", "NONE", *(["-T"] if detached else []), "-i", "m"
    )
    verified = signed.verify(message, CONTENT if detached else None)
    assert verified.content == CONTENT
    assert verified.signers[0].certificate == signers[kind].certificate


def test_nss_opens_the_mail_that_we_protect(nss, recipient, signers):
    issued = signers["p256"]
    mail = b"From: alice@example.com\r\nTo: bob@example.com\r\nSubject: the plan\r\n\r\nboth ways\r\n"
    sent = protect(
        mail, PrivateKeySigner(issued.certificate, issued.key, issued.chain), [recipient.certificate], signing_time=NOW
    )
    (nss.folder / "e").write_bytes(cms_of(sent))
    (nss.folder / "s").write_bytes(cms_of(nss.cms("-D", "-i", "e")))
    assert b"Subject: the plan" in nss.cms("-D", "-i", "s")
    assert b"signer0.status=GoodSignature" in nss.run("cmsutil", "-D", "-h", "0", "-i", "s").stdout
    opened = open_message(sent, keys_of((recipient.certificate, recipient.key)))
    assert opened.subject == "the plan"


def cms_of(entity):
    from email import message_from_bytes

    part = message_from_bytes(entity)
    assert part.get_content_type() == "application/pkcs7-mime"
    return part.get_payload(decode=True)


def test_gcm_is_read_right_or_not_at_all(nss, recipient):
    """NSS 3.87 knows no AuthEnvelopedData; that is why AES-256-CBC is written by default."""
    (nss.folder / "g").write_bytes(enveloped.encrypt(CONTENT, [recipient.certificate], cipher="aes-256-gcm"))
    read_right_or_refused(nss, "g")


def test_an_ecdh_recipient_is_read_right_or_not_at_all(nss, recipient, ec_recipient):
    """NSS 3.87 cannot read a message that also has an ECDH recipient; that is why keys are RSA by default."""
    certificates = [recipient.certificate, ec_recipient.certificate]
    (nss.folder / "k").write_bytes(enveloped.encrypt(CONTENT, certificates))
    read_right_or_refused(nss, "k")


def read_right_or_refused(nss, file):
    done = nss.run("cmsutil", "-D", "-i", file, may_fail=True)
    assert done.stdout in (b"", CONTENT)
    assert (done.returncode == 0) is (done.stdout == CONTENT)


def test_nss_reads_its_copy_of_a_mail_to_mixed_recipients(nss, recipient, ec_recipient, signers):
    """Nothing is known of either; both in one message would be unreadable (see above), so each gets a copy."""
    signer = signers["p256"]
    copies = planned(
        PrivateKeySigner(signer.certificate, signer.key, signer.chain),
        [Recipient(ec_recipient.certificate), Recipient(recipient.certificate)],
        Recipient(ec_recipient.certificate),
    )
    assert set(copies) == {(0,), (1,)}
    (nss.folder / "e").write_bytes(cms_of(copies[1,]))
    (nss.folder / "s").write_bytes(cms_of(nss.cms("-D", "-i", "e")))
    assert TEXT in nss.cms("-D", "-i", "s")
    assert b"signer0.status=GoodSignature" in nss.run("cmsutil", "-D", "-h", "0", "-i", "s").stdout

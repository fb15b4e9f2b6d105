"""Both directions with GnuPG's gpgsm, whose agent holds the keys; the organization's root stands in its trustlist.txt."""

import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PrivateFormat,
    pkcs12,
)
from support.certificates import NOW
from support.decryption import any_key, keys_of
from support.mixed_recipients import TEXT, cms_of, planned

from sealwright.cms import enveloped, signed
from sealwright.cms.signers import PrivateKeySigner
from sealwright.smime.algorithm_choice import Recipient

pytestmark = pytest.mark.skipif(shutil.which("gpgsm") is None, reason="gpgsm is not installed")
CONTENT = b"Content-Type: text/plain\r\n\r\nboth ways\r\n"
PASSWORD = "a passphrase"
OLD = (
    PrivateFormat.PKCS12.encryption_builder()
    .kdf_rounds(2048)
    .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
    .hmac_hash(hashes.SHA1())
    .build(PASSWORD.encode())
)
"""The only protection of a PKCS#12 file that gpgsm 2.2.40 reads."""


class Gpgsm:
    """A GnuPG home that trusts the organization's root and holds RSA keys; its agent ends with it."""

    def __init__(self, folder, *, root=None):
        folder.chmod(0o700)
        self.folder = folder
        (folder / "gpgsm.conf").write_text("disable-crl-checks\ndisable-dirmngr\nno-common-certs-import\n")
        (folder / "gpg-agent.conf").write_text("allow-loopback-pinentry\nno-allow-mark-trusted\n")
        (folder / "passphrase").write_text(PASSWORD + "\n")
        if root is not None:
            (folder / "trustlist.txt").write_text(f"{root.fingerprint(hashes.SHA1()).hex().upper()} S relax\n")

    def run(self, *arguments, given=None, may_fail=False):
        with (self.folder / "passphrase").open("rb") as file:
            asked = ["--pinentry-mode", "loopback", "--passphrase-fd", str(file.fileno())]
            done = subprocess.run(
                ["gpgsm", "--homedir", str(self.folder), "--batch", *asked, *arguments],
                input=given if given is not None else b"",
                cwd=self.folder,
                capture_output=True,
                check=False,
                timeout=60,
                pass_fds=[file.fileno()],
            )
        if done.returncode != 0 and not may_fail:
            raise AssertionError(f"{arguments}: {done.stderr.decode(errors='replace')}")
        return done

    def add(self, *certificates):
        for each in certificates:
            self.run("--import", given=each.public_bytes(Encoding.DER))

    def import_written(self, write, tries=8):
        """Import a PKCS#12 file; return whether gpgsm read it.

        The file is written again if it does not: gpgsm 2.2.40 derives another key than RFC 7292 appendix B says where a
        sum of that derivation begins with a zero octet, as it does for the salts of one file in about sixty.
        """
        file = self.folder / "written.p12"
        for _ in range(tries):
            file.write_bytes(write())
            done = self.run("--import", file.name, may_fail=True)
            if b"secret keys imported: 1" in done.stderr:
                return True
        return False

    def import_key(self, issued):
        def write():
            return pkcs12.serialize_key_and_certificates(b"key", issued.key, issued.certificate, issued.chain, OLD)

        assert self.import_written(write)

    def close(self):
        subprocess.run(["gpgconf", "--homedir", str(self.folder), "--kill", "all"], check=False, timeout=30)


@pytest.fixture(scope="module")
def home(passable_folder):
    # a short path: the agent's socket lies in it
    folder = passable_folder / "gnupg"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def gpgsm(home, people, recipient, signers):
    made = Gpgsm(home, root=people.root)
    made.add(people.root, *recipient.chain, *signers["rsa"].chain, signers["p256"].certificate)
    made.import_key(recipient)
    made.import_key(signers["rsa"])
    yield made
    made.close()


def sign(issued, *, detached):
    return signed.sign(
        CONTENT, [PrivateKeySigner(issued.certificate, issued.key, issued.chain)], detached=detached, signing_time=NOW
    )


def test_gpgsm_decrypts_what_we_encrypt(gpgsm, recipient):
    message = enveloped.encrypt(CONTENT, [recipient.certificate])
    assert gpgsm.run("--decrypt", "--assume-binary", write(gpgsm, "e", message)).stdout == CONTENT


def test_gpgsm_decrypts_beside_an_ecdh_recipient(gpgsm, recipient, ec_recipient):
    message = enveloped.encrypt(CONTENT, [ec_recipient.certificate, recipient.certificate])
    assert gpgsm.run("--decrypt", "--assume-binary", write(gpgsm, "e", message)).stdout == CONTENT


@pytest.mark.parametrize("cipher", ["AES", "AES256"])
def test_we_decrypt_what_gpgsm_encrypts(gpgsm, recipient, cipher):
    message = gpgsm.run("--encrypt", "--cipher-algo", cipher, "--recipient", "bob@example.com", given=CONTENT).stdout
    opened = enveloped.decrypt(message, keys_of((recipient.certificate, recipient.key)))
    assert opened.content == CONTENT


@pytest.mark.parametrize("kind", ["p256", "rsa"])
@pytest.mark.parametrize("detached", [False, True])
def test_gpgsm_verifies_what_we_sign(gpgsm, signers, kind, detached):
    signature = write(gpgsm, "s", sign(signers[kind], detached=detached))
    content = [write(gpgsm, "m", CONTENT)] if detached else []
    told = gpgsm.run("--status-fd", "1", "--assume-binary", "--verify", signature, *content).stdout
    assert b"GOODSIG" in told
    assert b"TRUST_FULLY" in told


@pytest.mark.parametrize("kind", ["p256", "rsa"])
def test_gpgsm_refuses_a_changed_content(gpgsm, signers, kind):
    signature = write(gpgsm, "s", sign(signers[kind], detached=True))
    changed = write(gpgsm, "m", CONTENT.replace(b"both", b"BOTH"))
    done = gpgsm.run("--status-fd", "1", "--assume-binary", "--verify", signature, changed, may_fail=True)
    assert done.returncode != 0
    assert b"BADSIG" in done.stdout


def test_without_the_root_nothing_is_trusted(passable_folder, people, signers):
    folder = passable_folder / "stranger"
    folder.mkdir()
    stranger = Gpgsm(folder)
    try:
        stranger.add(people.root, *signers["p256"].chain, signers["p256"].certificate)
        signature = write(stranger, "s", sign(signers["p256"], detached=False))
        done = stranger.run("--status-fd", "1", "--assume-binary", "--verify", signature, may_fail=True)
        assert b"TRUST_FULLY" not in done.stdout
    finally:
        stranger.close()


@pytest.mark.parametrize("detached", [False, True])
def test_we_verify_what_gpgsm_signs(gpgsm, signers, detached):
    options = ["--detach-sign"] if detached else ["--sign"]
    message = gpgsm.run("--digest-algo", "SHA256", "--local-user", "carl@example.com", *options, given=CONTENT).stdout
    verified = signed.verify(message, CONTENT if detached else None)
    assert verified.content == CONTENT
    assert verified.signers[0].certificate == signers["rsa"].certificate


def test_gpgsm_encrypts_to_p256_or_refuses(gpgsm, ec_recipient):
    """gpgsm 2.2.40 refuses certificates with keyAgreement only."""
    gpgsm.add(ec_recipient.certificate)
    done = gpgsm.run("--encrypt", "--recipient", "dora@example.com", given=CONTENT, may_fail=True)
    assert (done.returncode == 0) is bool(done.stdout)
    if done.returncode == 0:
        opened = enveloped.decrypt(done.stdout, any_key(ec_recipient.key))
        assert opened.content == CONTENT


def test_gpgsm_reads_gcm_right_or_not_at_all(gpgsm, recipient):
    """gpgsm 2.2.40 reads no AuthEnvelopedData; that is why AES-256-CBC is written by default."""
    message = write(gpgsm, "g", enveloped.encrypt(CONTENT, [recipient.certificate], cipher="aes-256-gcm"))
    done = gpgsm.run("--decrypt", "--assume-binary", message, may_fail=True)
    assert done.stdout in (b"", CONTENT)


def write(gpgsm, name, content):
    (gpgsm.folder / name).write_bytes(content)
    return name


def test_gpgsm_reads_its_copy_of_a_mail_to_mixed_recipients(gpgsm, recipient, ec_recipient, signers):
    """Signed inside with the RSA card, encrypted with what everybody reads."""
    signer = signers["rsa"]
    copies = planned(
        PrivateKeySigner(signer.certificate, signer.key, signer.chain),
        [Recipient(ec_recipient.certificate), Recipient(recipient.certificate)],
    )
    decrypted = gpgsm.run("--decrypt", "--assume-binary", write(gpgsm, "e", cms_of(copies[1,]))).stdout
    signature = write(gpgsm, "s", cms_of(decrypted))
    told = gpgsm.run("--status-fd", "2", "--assume-binary", "--output", "-", "--verify", signature)
    assert b"GOODSIG" in told.stderr
    assert TEXT in told.stdout

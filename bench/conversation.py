"""Two people who write to each other: through the product, through the bare primitives, and with the openssl command."""

import binascii
import os
import secrets
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench.people import User, make_signer, make_user, p256_key, rsa_key
from sealwright.cms import enveloped, signed
from sealwright.cms.decryptors import KeyDecryptor, PrivateKeyDecryptor
from sealwright.cms.identifiers import RecipientIdentifier
from sealwright.cms.signed_data import load_signed_data
from sealwright.cms.signers import PrivateKeySigner
from sealwright.smime.algorithm_choice import Algorithms
from sealwright.smime.compose import Protection, protect
from sealwright.smime.trust import Trust
from sealwright.smime.verdict import Verdict, judge_message

_BLOCK_BITS = 128


def text_of(octets: int) -> bytes:
    """Return plain text in lines of 76 characters, as a mail program sends it."""
    line = b"The quick brown fox jumps over the lazy dog, and what it says stays sealed.\r\n"
    return (line * (octets // len(line) + 1))[: octets - 2] + b"\r\n"


def mail_of(octets: int) -> bytes:
    """Return a plain mail with a text of that size."""
    header = b"From: alice@example.test\r\nTo: bob@example.test\r\nSubject: Quarterly figures\r\n"
    return header + b"Content-Type: text/plain; charset=us-ascii\r\n\r\n" + text_of(octets)


class Conversation:
    """Alice signs with P-256 and encrypts to Bob and to herself, with RSA-3072 keys as the product makes them."""

    def __init__(self) -> None:
        self.signer = make_signer("alice", p256_key())
        self.rsa_key = rsa_key()
        self.alice, self.bob = make_user("alice", rsa_key()), make_user("bob", self.rsa_key)
        self._signer = PrivateKeySigner(self.signer.certificate, self.signer.key, self.signer.chain[:-1])

    def sign(self, content: bytes) -> bytes:
        """Return a SignedData, nothing around it."""
        return signed.sign(content, [self._signer], detached=False, signing_time=datetime.now(UTC))

    def seal(self, content: bytes) -> bytes:
        """Sign and encrypt: SignedData inside EnvelopedData, no MIME."""
        return enveloped.encrypt(self.sign(content), (self.bob.certificate, self.alice.certificate))

    def unseal(self, sealed: bytes) -> bytes:
        """Decrypt and verify what `seal` made."""
        return signed.verify(enveloped.decrypt(sealed, self._find_keys).content, None).content

    def protect(self, mail: bytes, *, binary_inside: bool = False) -> bytes:
        """Sign and encrypt a mail with the product, for any reader or for those who want no base64 inside."""
        recipients = (self.bob.certificate, self.alice.certificate)
        protection = Protection(algorithms=Algorithms(binary_inside=binary_inside))
        return protect(mail, self._signer, recipients, signing_time=datetime.now(UTC), protection=protection)

    def open(self, protected: bytes) -> Verdict:
        """Decrypt, verify and judge a mail; no root is trusted, so no path is looked for. What does not hold is no figure."""
        return self._judged(protected, Trust(now=datetime.now(UTC)))

    def open_trusted(self, protected: bytes) -> Verdict:
        """Do the same, with the certification path from the signer to a trusted root."""
        opened = self._judged(protected, Trust(now=datetime.now(UTC), anchors=(self.signer.chain[-1],)))
        if not opened.summary.signature_valid:
            raise AssertionError("the benchmark's signer is not trusted")
        return opened

    def _judged(self, protected: bytes, trust: Trust) -> Verdict:
        opened = judge_message(protected, self._find_keys, trust)
        if opened.signature is None or not opened.signature.signers[0].is_intact or not opened.summary.encrypted:
            raise AssertionError("the benchmark's mail was not opened")
        return opened

    def _find_keys(self, recipient: RecipientIdentifier) -> Sequence[KeyDecryptor]:
        return [PrivateKeyDecryptor(self.rsa_key)] if recipient.matches(self.bob.certificate) else []


class Primitives:
    """What signing, encrypting, decrypting and verifying cost if nothing is parsed, encoded or checked.

    The same primitives over as many octets as CMS takes: a digest of the content, a signature over the signed attributes, the
    content cipher over what holds content and signature, a key transport for each recipient, the sender among them.

    Args:
        people: Whose keys.
        content: What is signed.
        inside: What is encrypted: a SignedData, as it is or as a MIME entity.
    """

    def __init__(self, people: Conversation, content: bytes, inside: bytes) -> None:
        self._signer, self._people, self._content, self._inside = people.signer.key, people, content, inside
        attributes = load_signed_data(people.sign(content)).signer_infos[0].signed_attributes
        assert attributes is not None
        self._attributes = attributes
        self._sealed = self._out()

    def write(self) -> None:
        """Digest, signature, content encryption, two key transports."""
        self._out()

    def write_base64(self) -> None:
        """The same, and base64 without lines as often as RFC 8551 has it: of the SignedData, and of the EnvelopedData."""
        binascii.b2a_base64(self._content)
        binascii.b2a_base64(self._out()[2])

    def read(self) -> None:
        """Key transport, content decryption, digest, signature."""
        self._in()

    def read_base64(self) -> None:
        """The same, and base64 twice."""
        binascii.a2b_base64(self._base64_of_sealed)
        self._in()
        binascii.a2b_base64(self._base64_of_content)

    @cached_property
    def _base64_of_sealed(self) -> bytes:
        return binascii.b2a_base64(self._sealed[2])

    @cached_property
    def _base64_of_content(self) -> bytes:
        return binascii.b2a_base64(self._content)

    def _in(self) -> None:
        wrapped, iv, ciphertext, signature = self._sealed
        key = self._people.rsa_key.decrypt(wrapped, PKCS1v15())
        decryptor, unpadder = (
            Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor(),
            padding.PKCS7(_BLOCK_BITS).unpadder(),
        )
        unpadder.update(decryptor.update(ciphertext) + decryptor.finalize()) + unpadder.finalize()
        self._digest()
        public_key = self._signer.public_key()
        assert isinstance(public_key, ec.EllipticCurvePublicKey)
        public_key.verify(signature, self._attributes, ec.ECDSA(hashes.SHA256()))

    def _out(self) -> tuple[bytes, bytes, bytes, bytes]:
        assert isinstance(self._signer, ec.EllipticCurvePrivateKey)
        self._digest()
        signature = self._signer.sign(self._attributes, ec.ECDSA(hashes.SHA256()))
        key, iv = secrets.token_bytes(32), secrets.token_bytes(16)
        padder, encryptor = padding.PKCS7(_BLOCK_BITS).padder(), Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
        ciphertext = encryptor.update(padder.update(self._inside) + padder.finalize()) + encryptor.finalize()
        wrapped = b""
        for user in (self._people.alice, self._people.bob):
            public_key = user.certificate.public_key()
            assert isinstance(public_key, rsa.RSAPublicKey)
            wrapped = public_key.encrypt(key, PKCS1v15())
        return wrapped, iv, ciphertext, signature

    def _digest(self) -> None:
        digest = hashes.Hash(hashes.SHA256())
        digest.update(self._content)
        digest.finalize()


class OpensslCommand:
    """`openssl cms`, two processes for each direction.

    Args:
        people: Who writes to whom.
        content: MIME entity that is signed.
        folder: For its files.
    """

    def __init__(self, people: Conversation, content: bytes, folder: Path) -> None:
        self._folder = folder
        for name, user in (("signer", people.signer), ("alice", people.alice), ("bob", people.bob)):
            self._write_user(name, user)
        (folder / "content").write_bytes(content)
        self.write()

    def write(self) -> None:
        """Sign, then encrypt."""
        self._run("-sign", "-nodetach", "-binary", "-in", "content", "-signer", "signer.pem", "-out", "signed")
        self._run("-encrypt", "-aes256", "-binary", "-in", "signed", "-out", "sealed", "alice.pem", "bob.pem")

    def read(self) -> None:
        """Decrypt, then verify."""
        self._run("-decrypt", "-in", "sealed", "-recip", "bob.pem", "-out", "opened")
        self._run("-verify", "-noverify", "-in", "opened", "-out", os.devnull)

    def _write_user(self, name: str, user: User) -> None:
        key = user.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self._folder / f"{name}.pem").write_bytes(key + user.certificate.public_bytes(Encoding.PEM))

    def _run(self, *arguments: str) -> None:
        subprocess.run(["openssl", "cms", *arguments], cwd=self._folder, check=True, capture_output=True)

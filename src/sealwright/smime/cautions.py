"""Everything that a verdict can warn of: a stable code for programs, a sentence for people. docs/inspect.md lists them all."""

from dataclasses import dataclass

CAUTIONS: dict[str, str] = {
    # what could not be opened, or is not what it seems
    "not-decrypted": "the message is encrypted, and no key that is here opens it",
    "unreadable-layer": "a part that should hold a protected message is not one that can be read",
    "certificates-only": "the message carries certificates and no text",
    "signed-content-missing": "a signature came without what it signs",
    "smime-type-mismatch": "the message says that it is of another kind than it is",
    "multipart-signed-malformed": "the message was changed: a signed message has one text and one signature",
    "errant-signature": "a signature covers a part of the message only and says nothing about the message",
    "errant-encryption": "an encrypted part among others was not opened; it says nothing about the message",
    "duplicate-content-field": "a header gives the kind of its content twice, so that programs may show different texts",
    "unknown-transfer-encoding": "a part is encoded in a way that is not known or not permitted",
    "message-partial": "the message is a piece of another one; pieces are not put together",
    "message-external-body": "a part lies somewhere else; it was not fetched",
    "beyond-limits": "the message has more layers, levels or parts than are looked at; what lies deeper was not opened",
    # encryption
    "encryption-without-integrity": "the encryption does not show changes, and no valid signature does",
    "weak-encryption": "the message was encrypted with an algorithm that is no longer safe",
    # signatures
    "no-signer": "what looks signed carries no signature",
    "signature-outside-encryption": "a signature around the encryption does not say who wrote the text",
    "signature-broken": "a signature does not hold",
    "weak-signature": "a signature was made with an algorithm or a key that is no longer safe",
    "no-trust-anchor": "no root is trusted, so that no signature can be valid",
    "signer-not-trusted": "a signer's certificate is not trusted",
    "revocation-unknown": "whether a certificate of the signer is revoked is not known",
    "signer-has-ended": "the signer's certificate has ended since; a timestamp proves that the signature is older",
    "no-key-usage": "the signer's certificate does not say what its key is for, so it counts for everything",
    "no-extended-key-usage": "the signer's certificate does not say what it is for, so it counts for mail",
    "revoked-later": "a certificate of the signer was revoked after the time in question",
    "signing-time-in-future": "a signature claims a time that has not come yet",
    "several-signers": "the message has several signers",
    # who wrote it
    "certificate-without-address": "the signer's certificate names no mail address",
    "signer-is-not-from": "the signer is not who the message says it is from",
    "signer-is-sender": "the signer is the Sender who sent the message for its author",
    "from-missing": "the message does not say who it is from",
    "several-from-fields": "the message has more than one From field",
    "several-authors": "the message names several authors",
    "from-malformed": "the From field can be read in more than one way",
    "from-group": "the From field holds a group instead of an author",
    "from-obsolete-route": "the From field holds a route, which programs read in different ways",
    "from-lookalike": "the From address only looks like the one that it is compared as",
    "from-not-ascii": "the From address has letters outside ASCII, which can look like others",
    "address-in-display-name": "the name in the From field looks like a mail address, and it is not the author's",
    "outer-from-differs": "outside its protection the message says that it is from somebody else",
    # what else the header says
    "outer-recipients-differ": "outside its protection the message names other recipients",
    "subject-not-protected": "the signature does not cover the subject, which can have been changed on the way",
}


@dataclass(frozen=True, slots=True)
class Caution:
    """One thing to beware of.

    Attributes:
        code: A key of `CAUTIONS`.
        message: For people; one line, may hold text from the message.
    """

    code: str
    message: str


def caution(code: str, detail: str = "") -> Caution:
    """Return a caution with its sentence and, if given, what it is about."""
    return Caution(code, f"{CAUTIONS[code]}: {detail}" if detail else CAUTIONS[code])

"""Explaining a message to somebody who has neither a server nor a device: what `sealwright inspect` says, for programs.

The document's shape is promised in docs/inspect.md; names are added to it, never changed.
"""

import base64
import re
from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes

from sealwright.client.key_files import pem_block
from sealwright.cms.decryptors import FindKeys
from sealwright.cms.identifiers import RecipientIdentifier
from sealwright.errors import DecodingError
from sealwright.pkix.names import certificate_addresses
from sealwright.smime.fields import Field, decode_field, unfolded
from sealwright.smime.layers import Encryption, Layer
from sealwright.smime.signers import SignerVerdict
from sealwright.smime.trust import Trust
from sealwright.smime.verdict import Verdict, judge_message

_MBOX_LINE = re.compile(rb"\A(?:\xef\xbb\xbf)?(?:>?From (?![ \t]*:)[^\r\n]*\r?\n)?")
"""The first line of a mailbox file; "From :" is a field in its obsolete form (RFC 5322 section 4.5)."""


def inspect_message(content: bytes, find_keys: FindKeys, trust: Trust) -> Verdict:
    """Judge a message, or a bare CMS file.

    Args:
        content: RFC 5322, perhaps with the first line of a mailbox file; or CMS as DER, BER or PEM (`.p7m`).
        find_keys: Gives every key that a recipient identifier may mean.
        trust: What signers are judged by.

    Raises:
        InputError: If it is no message at all, or beyond the limits of size, depth or parts.
    """
    return judge_message(_as_message(content), find_keys, trust)


def _as_message(content: bytes) -> bytes:
    """Return a bare CMS file as the message that it would be the body of; it names no author."""
    content = content[len((_MBOX_LINE.match(content) or [b""])[0]) :]
    # in the text of a mail a PEM block is text: what stands around it would not be shown
    block = pem_block(content, b"CMS", b"PKCS7") if content.lstrip().startswith(b"-----BEGIN ") else None
    content_info = block if block is not None else content if content[:1] == b"\x30" else None
    if content_info is None:
        return content
    head = b"Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return head + base64.encodebytes(content_info)


def inspection_document(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict for JSON."""
    summary = verdict.summary
    return {
        "summary": {
            "encrypted": summary.encrypted,
            "signed": summary.signed,
            "signature_valid": summary.signature_valid,
            "signer_matches_from": summary.signer_matches_from,
            "authentic_author": summary.authentic_author,
        },
        "layers": [_layer(layer) for layer in verdict.layers],
        "headers": {
            "from": list(verdict.headers.author.addresses),
            "sender": list(verdict.headers.sender.addresses),
            "outer_from": list(verdict.headers.outer_from.addresses),
            "subject": verdict.headers.subject,
            "protected": _fields(verdict.headers.protected),
        },
        "body_text": verdict.body_text,
        "attachments": [
            {"file_name": part.file_name, "content_type": part.content_type, "size_bytes": len(part.content)}
            for part in verdict.attachments
        ],
        "warnings": [{"code": each.code, "message": each.message} for each in verdict.cautions],
    }


def _fields(fields: Sequence[Field]) -> dict[str, str]:
    """Return decoded values by name; several fields of a name are joined by line ends."""
    found: dict[str, list[str]] = {}
    for field in fields:
        found.setdefault(field.name, []).append(decode_field(unfolded(field.value)))
    return {name: "\n".join(values) for name, values in found.items()}


def _layer(layer: Layer) -> dict[str, Any]:
    return {
        "kind": layer.kind,
        "content_type": layer.content_type,
        "errant": layer.is_errant,
        "part": layer.part,
        "encryption": _encryption(layer.encryption) if layer.encryption is not None else None,
        "signers": [_signer(signer) for signer in layer.signers],
    }


def _encryption(encryption: Encryption) -> dict[str, Any]:
    return {
        "decrypted": encryption.is_decrypted,
        "authenticated": encryption.is_authenticated,
        "content_cipher": encryption.content_cipher,
        "key_management": encryption.key_management,
        "recipient": identifier(encryption.recipient) if encryption.recipient is not None else None,
        "recipients": [identifier(each) for each in encryption.recipients],
    }


def _signer(signer: SignerVerdict) -> dict[str, Any]:
    return {
        "valid": signer.is_valid,
        "intact": signer.is_intact,
        "trusted": signer.is_trusted,
        "problem": signer.problem,
        "reason": signer.reason,
        "certificate": certificate_document(signer.certificate) if signer.certificate is not None else None,
        "path": [certificate_document(each) for each in signer.path],
        "revocation": signer.revocation,
        "identity_level": signer.identity_level,
        "signing_time": signer.signing_time.isoformat() if signer.signing_time is not None else None,
        "proven_time": signer.proven_time.isoformat() if signer.proven_time is not None else None,
        "digest": signer.digest,
        "signature_algorithm": signer.signature_algorithm,
        "weaknesses": list(signer.weaknesses),
        "matches_from": signer.matches_from,
        "matches_sender": signer.matches_sender,
        "countersigners": [_signer(each) for each in signer.countersigners],
    }


def certificate_document(certificate: x509.Certificate) -> dict[str, Any]:
    """Return what people need to tell certificates apart."""
    try:
        addresses = list(certificate_addresses(certificate))
    except DecodingError:
        addresses = []
    return {
        "subject": certificate.subject.rfc4514_string(),
        "issuer": certificate.issuer.rfc4514_string(),
        "serial_number": f"{certificate.serial_number:x}",
        "addresses": addresses,
        "not_before": certificate.not_valid_before_utc.isoformat(),
        "not_after": certificate.not_valid_after_utc.isoformat(),
        "sha256": certificate.fingerprint(hashes.SHA256()).hex(),
    }


def identifier(recipient: RecipientIdentifier) -> dict[str, str]:
    """Return how a message names a recipient."""
    if recipient.subject_key_identifier is not None:
        return {"subject_key_identifier": recipient.subject_key_identifier.hex()}
    if recipient.key_identifier is not None:
        return {"key_identifier": recipient.key_identifier.hex()}
    if recipient.is_password:
        return {"password": "yes"}
    return {"issuer": _name(recipient.issuer_der or b""), "serial_number": f"{recipient.serial_number or 0:x}"}


def recipient_name(recipient: RecipientIdentifier) -> str:
    """Return the same as one line for people."""
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in identifier(recipient).items())


def _name(der: bytes) -> str:
    try:
        return asn1.decode_der(x509.Name, der).rfc4514_string()
    except ValueError:
        return der.hex()

"""From a plain message to a protected one: header protection (RFC 9788), signature, encryption (RFC 8551).

The signature lies inside the encryption. The true header is part of what is signed and encrypted; outside, the subject is
"[...]" and Comments and Keywords are missing (the baseline policy, RFC 9788 section 3.2.1), and each field that is visible
outside is repeated inside as HP-Outer, so that the reader can tell what others saw.
"""

import base64
import re
import secrets
from collections.abc import Sequence
from datetime import datetime

from cryptography import x509

from sealwright.cms import enveloped, signed
from sealwright.cms.signers import Signer
from sealwright.errors import DecodingError, InputError
from sealwright.smime.fields import Field, split_entity, split_parameters

MAX_MESSAGE_BYTES = 40 * 1024 * 1024
"""Base64, twice where signed inside, makes 1.8 times this."""
HIDDEN_SUBJECT = b" [...]"
_TRACE = ("received", "return-path", "delivered-to", "dkim-signature", "authentication-results")
_NEVER_SENT = ("bcc", "resent-bcc", "hp-outer")
_CONFIDENTIAL = ("comments", "keywords")
_MAX_LINE = 998


def protect(
    message: bytes,
    signer: Signer | None,
    recipients: Sequence[x509.Certificate],
    *,
    signing_time: datetime,
) -> bytes:
    """Sign a message and encrypt it.

    Args:
        message: RFC 5322; any line ends. Bcc is removed.
        signer: Who signs, or None to leave the message unsigned.
        recipients: Certificates to encrypt to, the sender's own among them; empty to sign only.
        signing_time: Aware.

    Returns:
        RFC 5322 with CRLF: enveloped-data with signed-data inside; or, without recipients, multipart/signed (opaque
        signed-data where the text would not survive transport as it is).

    Raises:
        InputError: If the message is malformed or too large, or there is neither a signer nor a recipient.
        UnsupportedAlgorithmError: If a key is of a kind that mail does not use.
    """
    if signer is None and not recipients:
        raise InputError("a message is protected by a signature or by encryption")
    if len(message) > MAX_MESSAGE_BYTES:
        raise InputError("the message is too large to be protected")
    inside, structural, body = _taken_apart(re.sub(rb"\r\n|\r|\n", b"\r\n", message))
    trace = [field for field in inside if field.is_called(*_TRACE)]
    inside = [field for field in inside if not field.is_called(*_TRACE)]
    if not recipients:
        assert signer is not None
        payload = _payload(inside, [], structural, "clear") + body
        return _header([*trace, *inside]) + _signed_only(payload, signer, signing_time)
    outside = [_outside(field) for field in inside if not field.is_called(*_CONFIDENTIAL)]
    content = _payload(inside, outside, structural, "cipher") + body
    if signer is not None:
        content = _opaque("signed-data", signed.sign(content, [signer], detached=False, signing_time=signing_time))
    return _header([*trace, *outside]) + _opaque("enveloped-data", enveloped.encrypt(content, recipients))


def _taken_apart(message: bytes) -> tuple[list[Field], list[Field], bytes]:
    """Split into the fields about the message, the structural ones (RFC 9788 section 1.1.1), and the body.

    Raises:
        DecodingError: If the header is malformed: half a header must never be taken for the text, or the text for a header.
    """
    header, body = split_entity(message)
    size = sum(len(field.line) for field in header)
    if not header or (body and message[size : size + 2] != b"\r\n"):
        raise DecodingError("the message has a malformed header")
    structural = [field for field in header if field.name.lower().startswith("content-")]
    if sum(field.is_called("content-type") for field in structural) > 1:
        raise DecodingError("the message has two content types")
    kept = [field for field in header if field not in structural and not field.is_called("mime-version", *_NEVER_SENT)]
    return kept, structural, body


def _outside(field: Field) -> Field:
    """Return what others may see of a field."""
    return Field(field.name, HIDDEN_SUBJECT) if field.is_called("subject") else field


def _payload(inside: Sequence[Field], outside: Sequence[Field], structural: Sequence[Field], protection: str) -> bytes:
    """Return the header of the cryptographic payload (RFC 9788 section 5.2), with its empty line."""
    outer = [Field("HP-Outer", b" " + field.name.encode() + b":" + field.value) for field in outside]
    types = [field for field in structural if field.is_called("content-type")]
    others = [field for field in structural if not field.is_called("content-type")]
    value = types[0].value if types else b" text/plain; charset=us-ascii"
    content_type = Field("Content-Type", _with_protection(value, protection))
    lines = [field.line for field in (*inside, *outer, *others, content_type)]
    return b"MIME-Version: 1.0\r\n" + b"".join(lines) + b"\r\n"


def _with_protection(content_type: bytes, protection: str) -> bytes:
    """Return a Content-Type value with the hp parameter, in place of any it had."""
    pieces = split_parameters(content_type.decode("utf-8", "surrogateescape"))
    kept = [piece for piece in pieces if piece.strip() and piece.partition("=")[0].strip().lower() != "hp"]
    return ";".join(kept).rstrip().encode("utf-8", "surrogateescape") + f'; hp="{protection}"'.encode()


def _signed_only(payload: bytes, signer: Signer, signing_time: datetime) -> bytes:
    """Return Content-Type, empty line and body of a signed message."""
    survives = payload.isascii() and b"\0" not in payload and max(map(len, payload.split(b"\r\n"))) <= _MAX_LINE
    signature = signed.sign(payload, [signer], detached=survives, signing_time=signing_time)
    if not survives:
        return _opaque("signed-data", signature)
    boundary = secrets.token_hex(16).encode()
    return b"".join(
        (
            b'Content-Type: multipart/signed; protocol="application/pkcs7-signature";\r\n micalg=',
            signer.algorithm.micalg.encode(),
            b'; boundary="' + boundary + b'"\r\n\r\n',
            b"--" + boundary + b"\r\n" + payload + b"\r\n--" + boundary + b"\r\n",
            b'Content-Type: application/pkcs7-signature; name="smime.p7s"\r\n',
            b"Content-Transfer-Encoding: base64\r\n",
            b'Content-Disposition: attachment; filename="smime.p7s"\r\n\r\n',
            _base64(signature),
            b"--" + boundary + b"--\r\n",
        )
    )


def _opaque(smime_type: str, content_info: bytes) -> bytes:
    """Return an application/pkcs7-mime entity (RFC 8551 section 3.2)."""
    return b"".join(
        (
            f'Content-Type: application/pkcs7-mime; smime-type={smime_type};\r\n name="smime.p7m"\r\n'.encode(),
            b"Content-Transfer-Encoding: base64\r\n",
            b'Content-Disposition: attachment; filename="smime.p7m"\r\n\r\n',
            _base64(content_info),
        )
    )


def _header(outside: Sequence[Field]) -> bytes:
    return b"".join(field.line for field in outside) + b"MIME-Version: 1.0\r\n"


def _base64(data: bytes) -> bytes:
    return base64.encodebytes(data).replace(b"\n", b"\r\n")

"""The MIME entities that carry CMS (RFC 8551 section 3): application/pkcs7-mime, multipart/signed."""

import secrets
from typing import Literal

from sealwright.smime.base64_text import base64_blocks, base64_lines

SmimeType = Literal["enveloped-data", "authEnveloped-data", "signed-data", "certs-only", "compressed-data"]
_FILE_NAMES: dict[SmimeType, str] = {
    "enveloped-data": "smime.p7m",
    "authEnveloped-data": "smime.p7m",
    "signed-data": "smime.p7m",
    "certs-only": "smime.p7c",
    "compressed-data": "smime.p7z",
}
"""RFC 8551 section 3.2.1: programs that lose the type go by the name, which is at most eight letters and three."""


def opaque_entity(smime_type: SmimeType, content_info: bytes, *, before: bytes = b"", is_binary: bool = False) -> bytes:
    """Return an application/pkcs7-mime entity around DER (RFC 8551 section 3.2).

    Args:
        smime_type: What the DER holds.
        content_info: DER.
        before: Fields of a message, which stand first; they are written at once, because the rest may be large.
        is_binary: Write the DER as it is and not as base64: no mail server may see the entity then.
    """
    name = _FILE_NAMES[smime_type]
    header = (
        f'Content-Type: application/pkcs7-mime; smime-type={smime_type};\r\n name="{name}"\r\n'
        f"Content-Transfer-Encoding: {'binary' if is_binary else 'base64'}\r\n"
        f'Content-Disposition: attachment; filename="{name}"\r\n\r\n'
    )
    body = (content_info,) if is_binary else base64_blocks(content_info)
    return b"".join((before, header.encode(), *body))


def signed_entity(payload: bytes, content_info: bytes, micalg: str) -> bytes:
    """Return a multipart/signed entity (RFC 8551 section 3.5.3).

    Args:
        payload: What was signed: an entity with CRLF that survives transport as it is.
        content_info: DER of the detached signature.
        micalg: Digests as RFC 8551 section 3.5.3.2 spells them, such as "sha-256".
    """
    boundary = secrets.token_hex(16).encode()
    return b"".join(
        (
            b'Content-Type: multipart/signed; protocol="application/pkcs7-signature";\r\n micalg=',
            micalg.encode(),
            b'; boundary="' + boundary + b'"\r\n\r\n',
            b"--" + boundary + b"\r\n" + payload + b"\r\n--" + boundary + b"\r\n",
            b'Content-Type: application/pkcs7-signature; name="smime.p7s"\r\n',
            b"Content-Transfer-Encoding: base64\r\n",
            b'Content-Disposition: attachment; filename="smime.p7s"\r\n\r\n',
            base64_lines(content_info),
            b"--" + boundary + b"--\r\n",
        )
    )

"""MIME that can be read in two ways."""

from support.smime_layers import (
    TEXT,
    mixed,
    signed_clear,
    signed_opaque,
)
from support.verdicts.row import ALICE, AUTHOR, FROM_ALICE, GOOD, Row

ROWS = [
    # --- MIME that can be read in two ways
    Row(
        "two content types outside",
        "RFC 2045 3: one Content-Type",
        FROM_ALICE + b"Content-Type: text/plain\r\n" + signed_opaque(TEXT, ALICE),
        codes={"duplicate-content-field"},
        body=...,
    ),
    Row(
        "a second content type after the first",
        "RFC 2045 3",
        FROM_ALICE
        + b"X: y\r\n"
        + signed_opaque(TEXT, ALICE).replace(b"\r\n\r\n", b"\r\nContent-Type: text/plain\r\n\r\n", 1),
        GOOD,
        codes={"duplicate-content-field"},
    ),
    Row(
        "two content types inside",
        "RFC 2045 3",
        FROM_ALICE
        + signed_opaque(b"Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\nPay 10 to Bob.\r\n", ALICE),
        GOOD,
        codes={"duplicate-content-field"},
    ),
    Row(
        "a transfer encoding on a multipart",
        "RFC 2045 6.4: only 7bit, 8bit and binary",
        FROM_ALICE + signed_opaque(b"Content-Transfer-Encoding: base64\r\n" + mixed(TEXT), ALICE),
        GOOD,
        AUTHOR,
        {"unknown-transfer-encoding"},
    ),
    Row(
        "a transfer encoding that nobody knows",
        "RFC 2045 6.3",
        FROM_ALICE + b"Content-Transfer-Encoding: x-rot13\r\n" + TEXT,
        codes={"unknown-transfer-encoding"},
    ),
    Row(
        "a piece of a message",
        "RFC 8551 3.9, RFC 2046 5.2.2",
        FROM_ALICE + b"Content-Type: message/partial; id=a; number=1; total=2\r\n\r\n" + TEXT,
        codes={"message-partial"},
        body="",
    ),
    Row(
        "a part that lies elsewhere is not fetched",
        "RFC 2046 5.2.3; EFAIL back channels",
        FROM_ALICE
        + signed_opaque(
            b'Content-Type: message/external-body; access-type=URL; URL="http://e.test/"\r\n\r\n' + TEXT, ALICE
        ),
        GOOD,
        AUTHOR,
        {"message-external-body"},
        body="",
    ),
    Row(
        "OpenPGP is not read",
        "RFC 3156",
        FROM_ALICE + signed_clear(TEXT, ALICE).replace(b"application/pkcs7-signature", b"application/pgp-signature"),
    ),
]

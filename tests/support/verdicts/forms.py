"""Messages as they should be, in every form that programs give them."""

from support.smime_layers import (
    TEXT,
    encrypted,
    mixed,
    opaque,
    signature_of,
    signed_clear,
    signed_opaque,
)
from support.verdicts.row import ALICE, AUTHOR, BOB, ENCRYPTED, FROM_ALICE, GOOD, MALLORY, RSA, TWO, UPPER, Row

from sealwright.cms.compressed import compress

ROWS = [
    Row("nothing is protected", "RFC 5322", FROM_ALICE + TEXT),
    Row("signed in clear", "RFC 8551 3.5.3", FROM_ALICE + signed_clear(TEXT, ALICE), GOOD, AUTHOR),
    Row("signed opaque", "RFC 8551 3.5.2", FROM_ALICE + signed_opaque(TEXT, ALICE), GOOD, AUTHOR),
    Row("signed with RSA", "RFC 8551 2.2", FROM_ALICE + signed_opaque(TEXT, RSA), GOOD, AUTHOR),
    Row("encrypted with AEAD", "RFC 8551 3.3", FROM_ALICE + encrypted(TEXT, BOB), {ENCRYPTED}),
    Row(
        "signed, then encrypted",
        "RFC 8551 3.7",
        FROM_ALICE + encrypted(signed_opaque(TEXT, ALICE), BOB),
        GOOD | {ENCRYPTED},
        AUTHOR,
    ),
    Row(
        "signed in clear, then encrypted with CBC: the signature shows changes",
        "RFC 8551 3.7, EFAIL",
        FROM_ALICE + encrypted(signed_clear(TEXT, ALICE), BOB, authenticated=False),
        GOOD | {ENCRYPTED},
        AUTHOR,
    ),
    Row(
        "triple wrapped: the innermost signature counts",
        "RFC 2634 1.1",
        FROM_ALICE + signed_opaque(encrypted(signed_opaque(TEXT, ALICE), BOB), MALLORY),
        GOOD | {ENCRYPTED},
        AUTHOR,
    ),
    Row(
        "signed twice: the innermost signature counts",
        "RFC 9787",
        FROM_ALICE + signed_opaque(signed_clear(TEXT, ALICE), MALLORY),
        GOOD,
        AUTHOR,
    ),
    Row(
        "a gateway made the whole message application/octet-stream",
        "RFC 8551 3.9",
        FROM_ALICE + opaque(signature_of(TEXT, ALICE), content_type="application/octet-stream"),
        GOOD,
        AUTHOR,
    ),
    Row(
        "the old name of the type",
        "RFC 8551 3.2",
        FROM_ALICE + opaque(signature_of(TEXT, ALICE), content_type="application/x-pkcs7-mime"),
        GOOD,
        AUTHOR,
    ),
    Row(
        "a store keeps bare line feeds",
        "RFC 8551 3.1.1",
        (FROM_ALICE + signed_clear(TEXT, ALICE)).replace(b"\r\n", b"\n"),
        GOOD,
        AUTHOR,
    ),
    Row(
        "micalg says what was not used",
        "RFC 8551 3.5.3.2: receivers need not rely on micalg",
        FROM_ALICE + signed_clear(TEXT, ALICE).replace(b"micalg=sha-1", b"micalg=md5"),
        GOOD,
        AUTHOR,
    ),
    Row(
        "the domain differs in case only",
        "RFC 8550 3: the domain MUST be compared case-insensitively",
        b"From: alice@Example.TEST\r\n" + signed_opaque(TEXT, UPPER),
        GOOD,
        AUTHOR,
    ),
    Row("one of several addresses", "RFC 8550 3", FROM_ALICE + signed_opaque(TEXT, TWO), GOOD, AUTHOR),
    Row(
        "compressed, then signed",
        "RFC 8551 3.6",
        FROM_ALICE + signed_opaque(opaque(compress(TEXT), "compressed-data"), ALICE),
        GOOD,
        AUTHOR,
    ),
    Row(
        "signed, then compressed",
        "RFC 8551 3.6, 3.7",
        FROM_ALICE + opaque(compress(signed_clear(TEXT, ALICE)), "compressed-data"),
        GOOD,
        AUTHOR,
    ),
    Row("compressed only", "RFC 8551 3.6: protects nothing", FROM_ALICE + opaque(compress(TEXT), "compressed-data")),
    Row(
        "a compressed part among others",
        "RFC 9787: left closed",
        FROM_ALICE + mixed(b"\r\nsee", opaque(compress(TEXT), "compressed-data")),
        body="see",
    ),
]

"""Header protection."""

from support.smime_layers import (
    TEXT,
    encrypted,
    mixed,
    signed_clear,
    signed_opaque,
    with_header,
)
from support.verdicts.row import (
    ALICE,
    AUTHOR,
    BOB,
    ENCRYPTED,
    FROM_ALICE,
    GOOD,
    HIDDEN,
    MALLORY,
    PROTECTED,
    PROTECTED_CIPHER,
    SIGNED,
    VALID,
    Row,
)

ROWS = [
    Row(
        "outside other recipients are named",
        "RFC 9788 2.1: the protected header counts",
        HIDDEN.replace(b"bob@", b"carol@") + encrypted(signed_opaque(PROTECTED_CIPHER, ALICE), BOB),
        GOOD | {ENCRYPTED},
        AUTHOR,
        {"outer-recipients-differ"},
    ),
    Row(
        "a recipient was added outside a signed message",
        "RFC 9788 2.1",
        FROM_ALICE + b"Cc: carol@example.test\r\n" + signed_clear(PROTECTED, ALICE),
        GOOD,
        AUTHOR,
        {"outer-recipients-differ"},
    ),
    Row(
        "recipients in another order and case, some in Cc",
        "RFC 5321 2.4",
        b"From: alice@example.test\r\nTo: Carol <carol@EXAMPLE.test>\r\nCc: bob@example.test\r\n"
        + signed_clear(with_header(TEXT, FROM_ALICE, b"Cc: carol@example.test\r\n", protection="clear"), ALICE),
        GOOD,
        AUTHOR,
    ),
    Row(
        "the sender hid the recipients himself",
        "RFC 9788 2.2: HP-Outer says what stood outside",
        b"From: alice@example.test\r\nTo: list@example.test\r\n"
        + encrypted(
            signed_opaque(
                with_header(
                    TEXT,
                    FROM_ALICE,
                    b"HP-Outer: From: alice@example.test\r\nHP-Outer: To: list@example.test\r\n",
                    protection="cipher",
                ),
                ALICE,
            ),
            BOB,
        ),
        GOOD | {ENCRYPTED},
        AUTHOR,
    ),
    Row(
        "the recipients were lost outside",
        "RFC 9788 2.1",
        b"From: alice@example.test\r\n" + signed_clear(PROTECTED, ALICE),
        GOOD,
        AUTHOR,
    ),
    Row(
        "a subject that the signature does not cover",
        "RFC 8551 3.1: without header protection the header is anybody's",
        FROM_ALICE + b"Subject: Money\r\n" + signed_clear(TEXT, ALICE),
        GOOD,
        AUTHOR,
        {"subject-not-protected"},
    ),
    Row(
        "the same, and nobody certain signed",
        "RFC 8551 3.1",
        FROM_ALICE + b"Subject: Money\r\n" + signed_clear(TEXT, MALLORY),
        {SIGNED, VALID},
        codes={"signer-is-not-from"},
    ),
    Row(
        "a protected header with a subject",
        "RFC 9788 2.1",
        HIDDEN
        + b"Subject: [...]\r\n"
        + encrypted(
            signed_opaque(with_header(TEXT, FROM_ALICE, b"Subject: Money\r\n", protection="cipher"), ALICE), BOB
        ),
        GOOD | {ENCRYPTED},
        AUTHOR,
    ),
    Row(
        "a protected header",
        "RFC 9788 2.1",
        FROM_ALICE + signed_clear(PROTECTED, ALICE),
        GOOD,
        AUTHOR,
    ),
    Row(
        "a protected header in an encrypted message",
        "RFC 9788 2.1",
        HIDDEN + encrypted(signed_opaque(PROTECTED_CIPHER, ALICE), BOB),
        GOOD | {ENCRYPTED},
        AUTHOR,
    ),
    Row(
        "outside somebody else is named",
        "RFC 9788 4.4: compared with the real outer From",
        HIDDEN.replace(b"alice", b"mallory") + encrypted(signed_opaque(PROTECTED_CIPHER, ALICE), BOB),
        GOOD | {ENCRYPTED},
        AUTHOR,
        {"outer-from-differs"},
    ),
    Row(
        "Mallory signs a header that names Alice",
        "RFC 9788 4.4, RFC 8550 3",
        FROM_ALICE.replace(b"alice", b"mallory") + signed_opaque(PROTECTED, MALLORY),
        {SIGNED, VALID},
        codes={"signer-is-not-from", "outer-from-differs"},
    ),
    Row(
        "HP-Outer lies about the outer header",
        "RFC 9788: the real outer From is compared",
        FROM_ALICE.replace(b"alice", b"mallory")
        + signed_opaque(with_header(PROTECTED, b"HP-Outer: From: mallory@example.test\r\n"), ALICE),
        GOOD,
        AUTHOR,
        {"outer-from-differs"},
    ),
    Row(
        "encryption alone vouches for no inner author",
        "RFC 9788 4.4",
        HIDDEN.replace(b"alice", b"mallory") + encrypted(PROTECTED_CIPHER, BOB),
        {ENCRYPTED},
        codes={"outer-from-differs"},
    ),
    Row(
        "hp on a message without protection",
        "RFC 9788 2.1: only inside a cryptographic payload",
        FROM_ALICE + TEXT.replace(b"utf-8", b'utf-8; hp="clear"'),
    ),
    Row(
        "hp below the root of the payload",
        "RFC 9788 2.1: only at the root of the Cryptographic Payload",
        FROM_ALICE
        + signed_opaque(mixed(with_header(TEXT, b"From: mallory@example.test\r\n", protection="clear")), ALICE),
        GOOD,
        AUTHOR,
    ),
    Row(
        "the message wrapped as message/rfc822",
        "RFC 8551 3.1, read only",
        HIDDEN + signed_opaque(b"Content-Type: message/rfc822; forwarded=no\r\n\r\n" + FROM_ALICE + TEXT, ALICE),
        GOOD,
        AUTHOR,
    ),
    Row(
        "a wrapped message without protection is an attachment",
        "RFC 9788: header protection needs a cryptographic payload",
        FROM_ALICE + b"Content-Type: message/rfc822; forwarded=no\r\n\r\n" + FROM_ALICE + TEXT,
        body="",
    ),
    Row(
        "a wrapped message that names Alice, signed by Mallory",
        "RFC 8551 3.1, RFC 8550 3",
        FROM_ALICE.replace(b"alice", b"mallory")
        + signed_opaque(b"Content-Type: message/rfc822; forwarded=no\r\n\r\n" + FROM_ALICE + TEXT, MALLORY),
        {SIGNED, VALID},
        codes={"signer-is-not-from", "outer-from-differs"},
    ),
    Row(
        "a signed forward",
        "RFC 8551 3.1: without forwarded=no it is another message",
        FROM_ALICE.replace(b"alice", b"mallory")
        + signed_opaque(b"Content-Type: message/rfc822\r\n\r\n" + FROM_ALICE + TEXT, MALLORY),
        GOOD,
        "mallory@example.test",
        body="",
    ),
    Row(
        "a second From inside the protected header",
        "RFC 5322 3.6",
        FROM_ALICE + signed_opaque(with_header(PROTECTED, b"From: mallory@example.test\r\n"), ALICE),
        {SIGNED, VALID},
        codes={"several-from-fields", "several-authors", "signer-is-not-from", "outer-from-differs"},
    ),
]

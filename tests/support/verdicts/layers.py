"""Only a part is protected; layers in the wrong order, or closed."""

from support.smime_layers import (
    TEXT,
    encrypted,
    mixed,
    opaque,
    signature_of,
    signed_clear,
    signed_opaque,
)
from support.verdicts.row import (
    ALICE,
    AUTHOR,
    BOB,
    CERTS_ONLY,
    ENCRYPTED,
    FROM_ALICE,
    GOOD,
    HTML,
    MALLORY,
    SIGNED,
    VALID,
    Row,
)


def nested(entity: bytes, levels: int) -> bytes:
    """Put an entity into so many multiparts."""
    for level in range(levels):
        mark = f"level{level}".encode()
        entity = b"Content-Type: multipart/mixed; boundary=" + mark + b"\r\n\r\n--" + mark + b"\r\n" + entity
        entity += b"\r\n--" + mark + b"--\r\n"
    return entity


def wrapped(entity: bytes, layers: int) -> bytes:
    """Sign an entity so often."""
    for _ in range(layers):
        entity = signed_opaque(entity, ALICE)
    return entity


ROWS = [
    Row(
        "as many levels as are looked at",
        "MAX_DEPTH",
        FROM_ALICE + signed_opaque(nested(TEXT, 20), ALICE),
        GOOD,
        AUTHOR,
    ),
    Row(
        "one level more",
        "MAX_DEPTH: nothing is shown in part",
        FROM_ALICE + signed_opaque(nested(TEXT, 21), ALICE),
        GOOD,
        codes={"beyond-limits"},
        body=None,
    ),
    Row(
        "too many parts",
        "MAX_PARTS: nothing is shown in part",
        FROM_ALICE + signed_opaque(mixed(TEXT, *[b"\r\nx"] * 1001), ALICE),
        GOOD,
        codes={"beyond-limits"},
        body=None,
    ),
    Row(
        "a part with more header fields than are looked at",
        "MAX_FIELDS",
        FROM_ALICE + signed_opaque(mixed(TEXT, b"X: y\r\n" * 20_000 + b"\r\nx"), ALICE),
        GOOD,
        codes={"beyond-limits"},
        body=None,
    ),
    Row(
        "a layer with more header fields than are looked at",
        "MAX_FIELDS",
        FROM_ALICE + signed_opaque(b"X: y\r\n" * 20_000 + TEXT, ALICE),
        GOOD,
        codes={"beyond-limits"},
        body=None,
    ),
    Row("as many layers as are opened", "MAX_LAYERS", FROM_ALICE + wrapped(TEXT, 8), GOOD, AUTHOR),
    Row(
        "one layer more",
        "MAX_LAYERS: the rest stays closed",
        FROM_ALICE + wrapped(TEXT, 9),
        GOOD,
        codes={"beyond-limits"},
        body=None,
    ),
    # --- only a part is protected
    Row(
        "a footer below a signed part",
        "RFC 9787: a signature in multipart/mixed is an errant layer",
        FROM_ALICE + mixed(signed_clear(TEXT, ALICE), b"\r\na list's footer"),
        codes={"errant-signature"},
        body="Pay 10 to Bob.\n\na list's footer",
    ),
    Row(
        "a signed part alone in a multipart",
        "RFC 9787: errant",
        FROM_ALICE + mixed(signed_opaque(TEXT, ALICE)),
        codes={"errant-signature"},
        body="",
    ),
    Row(
        "an attachment outside the signature",
        "RFC 9787",
        FROM_ALICE + mixed(signed_clear(TEXT, ALICE), b"Content-Type: application/pdf\r\n\r\nx"),
        codes={"errant-signature"},
    ),
    Row(
        "an encrypted part between clear ones stays closed",
        "EFAIL, direct exfiltration; RFC 9787: errant",
        FROM_ALICE + mixed(HTML, encrypted(TEXT, BOB), b"Content-Type: text/html\r\n\r\n'>"),
        codes={"errant-encryption"},
        body="hi\n\n'>\n",
    ),
    Row(
        "an encrypted part hidden in a clear message is not decrypted for a reply",
        "Mueller et al. 2019, 'Re: What's up Johnny': decryption oracle by reply",
        FROM_ALICE + mixed(b"\r\nWhat do you think?", encrypted(TEXT, BOB)),
        codes={"errant-encryption"},
        body="What do you think?",
    ),
    Row(
        "an encrypted part inside the signed content stays closed, too",
        "RFC 9787",
        FROM_ALICE + signed_opaque(mixed(b"\r\nlook", encrypted(TEXT, BOB)), MALLORY),
        {SIGNED, VALID},
        codes={"errant-encryption", "signer-is-not-from"},
        body="look",
    ),
    Row(
        "smime.p7m as an attachment among others",
        "RFC 9787",
        FROM_ALICE + mixed(b"\r\nsee", opaque(signature_of(TEXT, ALICE), content_type="application/octet-stream")),
        codes={"errant-signature"},
        body="see",
    ),
    Row(
        "a forwarded signed message is an attachment",
        "RFC 9787: message/rfc822 is another message",
        FROM_ALICE
        + mixed(b"\r\nsee", b"Content-Type: message/rfc822\r\n\r\n" + FROM_ALICE + signed_clear(TEXT, ALICE)),
        body="see",
    ),
    # --- layers in the wrong order, or closed
    Row(
        "a signature around the encryption",
        "RFC 9787: it gives no author",
        FROM_ALICE + signed_opaque(encrypted(TEXT, BOB), ALICE),
        {ENCRYPTED},
        codes={"signature-outside-encryption"},
    ),
    Row(
        "no key",
        "RFC 5652 6; why is never told",
        FROM_ALICE + encrypted(signed_opaque(TEXT, ALICE), MALLORY),
        {ENCRYPTED},
        codes={"not-decrypted"},
        body=None,
    ),
    Row(
        "no key for the inner of two encryptions",
        "RFC 8551 3.7",
        FROM_ALICE + encrypted(encrypted(TEXT, MALLORY), BOB),
        {ENCRYPTED},
        codes={"not-decrypted"},
        body=None,
    ),
    Row(
        "a signature around what stays closed",
        "RFC 9787",
        FROM_ALICE + signed_opaque(encrypted(TEXT, MALLORY), ALICE),
        {ENCRYPTED},
        codes={"not-decrypted", "signature-outside-encryption"},
        body=None,
    ),
    Row(
        "CBC shows no changes",
        "EFAIL, malleability gadgets; RFC 8551 6",
        FROM_ALICE + encrypted(TEXT, BOB, authenticated=False),
        {ENCRYPTED},
        codes={"encryption-without-integrity"},
    ),
    Row(
        "CBC with a signature that does not hold",
        "EFAIL",
        FROM_ALICE + encrypted(signed_clear(TEXT, ALICE).replace(b"10", b"99"), BOB, authenticated=False),
        {ENCRYPTED, SIGNED},
        codes={"encryption-without-integrity", "signature-broken"},
        body="Pay 99 to Bob.\n",
    ),
    Row("certificates only", "RFC 8551 3.8", FROM_ALICE + CERTS_ONLY, codes={"certificates-only"}, body=None),
    Row(
        "a detached signature that lost its text",
        "RFC 8551 3.5.3",
        FROM_ALICE + opaque(signature_of(TEXT, ALICE, detached=True), "signed-data"),
        codes={"signed-content-missing"},
        body=None,
    ),
    Row(
        "signed-data that says it is enveloped",
        "RFC 8551 3.2.2; the content decides",
        FROM_ALICE + opaque(signature_of(TEXT, ALICE), "enveloped-data"),
        GOOD,
        AUTHOR,
        {"smime-type-mismatch"},
    ),
    Row(
        "octets that are no CMS",
        "RFC 8551 3.2",
        FROM_ALICE + opaque(b"nothing of the kind", "enveloped-data"),
        codes={"unreadable-layer", "smime-type-mismatch"},
        body=None,
    ),
]

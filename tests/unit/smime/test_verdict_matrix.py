"""Every way of wrapping a message, by every kind of signer, under every kind of From: who may be called its author.

The expectation is two columns and one rule, written without the program: the author is who From names alone, if a trusted
signature by that address lies inside every encryption; else nobody.
"""

import itertools
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.certificates import NOW, rsa_key
from support.mail_people import MailRoot
from support.smime_layers import TEXT, encrypted, mixed, opaque, signed_clear, signed_opaque, with_header

from sealwright.cms.compressed import compress
from sealwright.smime.fields import Field
from sealwright.smime.originators import compared, originators
from sealwright.smime.verdict import judge_message

ROOT, OTHER = MailRoot(), MailRoot("Other")
BOB = ROOT.person("bob", key=rsa_key())
TRUST = ROOT.trust()
ALICE = "alice@example.test"

SIGNERS = {  # name: (person, address that a valid signature proves)
    "alice": (ROOT.person("alice"), ALICE),
    "alice, RSA": (ROOT.person("alice", key=rsa_key()), ALICE),
    "alice by an alias": (ROOT.person("alias", addresses=["a.smith@example.test", ALICE]), ALICE),
    "mallory": (ROOT.person("mallory"), "mallory@example.test"),
    "alice of a strange root": (OTHER.person("alice"), None),
    "alice, expired": (ROOT.person("alice", start=NOW - timedelta(days=9), end=NOW - timedelta(days=1)), None),
    "alice, not valid yet": (ROOT.person("alice", start=NOW + timedelta(days=1)), None),
    "alice, for code": (ROOT.person("alice", mail=False), None),
    "alice, not to sign": (ROOT.person("alice", signs=False), None),
    "nobody by name": (ROOT.person("alice", addresses=[]), None),
}
FROM = {  # name: (fields, the one address that they name beyond doubt)
    "alice": (b"From: alice@example.test\r\n", ALICE),
    "Alice <alice>": (b"From: Alice Smith <ALICE@Example.TEST>\r\n", ALICE),
    "mallory": (b"From: mallory@example.test\r\n", "mallory@example.test"),
    "mallory called alice": (b'From: "alice@example.test" <mallory@example.test>\r\n', "mallory@example.test"),
    "both": (b"From: alice@example.test, mallory@example.test\r\n", None),
    "two fields": (b"From: alice@example.test\r\nFrom: mallory@example.test\r\n", None),
    "malformed": (b"From: alice@example.test mallory@example.test\r\n", None),
    "nobody": (b"Subject: none\r\n", None),
}
WRAPPINGS = {  # name: (how, a signature of the author's lies inside every encryption and around everything)
    "opaque": (signed_opaque, True),
    "clear": (signed_clear, True),
    "clear in AEAD": (lambda text, by: encrypted(signed_clear(text, by), BOB), True),
    "opaque in CBC": (lambda text, by: encrypted(signed_opaque(text, by), BOB, authenticated=False), True),
    "triple": (lambda text, by: signed_clear(encrypted(signed_opaque(text, by), BOB), by), True),
    "twice encrypted": (lambda text, by: encrypted(encrypted(signed_opaque(text, by), BOB), BOB), True),
    "compressed inside": (lambda text, by: signed_opaque(opaque(compress(text)), by), True),
    "signed around AEAD": (lambda text, by: signed_opaque(encrypted(text, BOB), by), False),
    "AEAD only": (lambda text, by: encrypted(text, BOB), False),
    "beside a footer": (lambda text, by: mixed(signed_clear(text, by), b"\r\nfooter"), False),
    "alone in a multipart": (lambda text, by: mixed(signed_opaque(text, by)), False),
    "nothing": (lambda text, by: text, False),
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("header", ["outside", "protected"])
def test_who_is_the_author(wrapping, header):
    wrap, is_whole = WRAPPINGS[wrapping]
    seen = 0
    for (signer, (person, proven)), (fields, (lines, named)) in itertools.product(SIGNERS.items(), FROM.items()):
        inside = with_header(TEXT, lines, protection="cipher") if header == "protected" else TEXT
        summary = judge_message(
            lines + b"To: bob@example.test\r\n" + wrap(inside, person), BOB.find_keys, TRUST
        ).summary
        expected = named if is_whole and proven is not None and named == proven else None
        assert summary.authentic_author == expected, (signer, fields)
        assert expected is None or (summary.signed and summary.signature_valid and summary.signer_matches_from)
        assert summary.encrypted is (
            "AEAD" in wrapping or "CBC" in wrapping or wrapping in ("triple", "twice encrypted")
        )
        seen += 1
    assert seen == len(SIGNERS) * len(FROM) == 80


@pytest.mark.parametrize("wrapping", [name for name, (_, is_whole) in WRAPPINGS.items() if is_whole])
def test_no_root_no_author(wrapping):
    wrap, _ = WRAPPINGS[wrapping]
    message = FROM["alice"][0] + wrap(TEXT, SIGNERS["alice"][0])
    assert judge_message(message, BOB.find_keys, TRUST).summary.authentic_author == ALICE
    for trust in (OTHER.trust(), ROOT.trust(SIGNERS["alice"][0].certificate), ROOT.trust(anchors=())):
        summary = judge_message(message, BOB.find_keys, trust).summary
        assert (summary.signed, summary.signature_valid, summary.authentic_author) == (True, False, None)


ADDRESSES = st.from_regex(r"[a-z0-9]{1,8}(\.[a-z0-9]{1,8})?@[a-z0-9]{1,8}\.test", fullmatch=True)


@settings(max_examples=300)
@given(ADDRESSES, st.text(st.characters(codec="ascii", categories=["L", "N", "Zs"]), max_size=20))
def test_whatever_is_written_properly_names_its_author(address, name):
    quoted = f'"{name}" <{address}>'
    for value in (address, f"<{address}>", f"{name} <{address}>", quoted, f"{address} ({name})", f" {address} "):
        found = originators([Field("From", b" " + value.encode())], "from")
        assert (found.author, found.addresses) == (compared(address), (address,)), value


@settings(max_examples=1000)
@given(
    st.lists(
        st.sampled_from([*'<>@.,;:()"\\ ', "a", "b@c.d", "=?utf-8?q?", "=40", "?=", "\0", "\r", "é", "x.test"]),
        max_size=14,
    )
)
def test_no_from_field_is_too_strange(pieces):
    value = "".join(pieces)
    found = originators([Field("From", value.encode())], "from")
    if found.author is not None:
        assert len(found.addresses) == 1
        assert found.addresses[0] in value
        assert compared(found.addresses[0]) == found.author

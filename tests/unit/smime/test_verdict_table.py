"""What may be said of a message: scenario -> message -> summary and cautions, exactly. Each row names what it rests on.

Whoever changes a row changes what people are told about who wrote to them.
"""

from datetime import timedelta

import pytest
from support.certificates import NOW
from support.smime_layers import FROM_ALICE, TEXT, signed_clear, signed_opaque
from support.verdicts import authors, forms, headers, layers, mime, signers
from support.verdicts.row import ALICE, BOB, ENCRYPTED, MATCHES, SIGNED, TRUST, VALID

from sealwright.smime.cautions import CAUTIONS
from sealwright.smime.trust import Trust
from sealwright.smime.verdict import judge_message

ROWS = [row for each in (forms, signers, layers, authors, headers, mime) for row in each.ROWS]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_is_said_of_a_message(row):
    verdict = judge_message(row.message, BOB.find_keys, row.trust)
    summary = verdict.summary
    said = {
        name
        for name, is_so in (
            (ENCRYPTED, summary.encrypted),
            (SIGNED, summary.signed),
            (VALID, summary.signature_valid),
            (MATCHES, summary.signer_matches_from),
        )
        if is_so
    }
    assert (said, summary.authentic_author) == (row.is_so, row.author)
    assert {each.code for each in verdict.cautions} == row.codes
    assert row.body is ... or verdict.body_text == row.body


def test_names_are_unique_and_sources_given():
    assert len({row.name for row in ROWS}) == len(ROWS) >= 80
    assert all(row.source for row in ROWS)


def test_every_caution_has_a_scenario():
    elsewhere = {"weak-signature", "weak-encryption", "signer-has-ended"}  # tests of their own, with openssl
    assert set(CAUTIONS) - elsewhere == {code for row in ROWS for code in row.codes}


@pytest.mark.parametrize("row", [row for row in ROWS if row.author], ids=lambda row: row.name)
def test_an_author_needs_every_step(row):
    summary = judge_message(row.message, BOB.find_keys, row.trust).summary
    assert summary.signed
    assert summary.signature_valid
    assert summary.signer_matches_from
    assert judge_message(row.message, BOB.find_keys, Trust(now=NOW)).summary.authentic_author is None


def test_capabilities_are_learnt_from_valid_signatures_of_the_present_only():
    def capabilities(message, trust=TRUST):
        return judge_message(message, BOB.find_keys, trust).signature.signers[0].capabilities

    assert capabilities(FROM_ALICE + signed_opaque(TEXT, ALICE))
    assert capabilities(FROM_ALICE + signed_opaque(TEXT, ALICE, time=NOW + timedelta(minutes=6))) == b""
    assert capabilities(FROM_ALICE + signed_opaque(TEXT, ALICE), Trust(now=NOW)) == b""
    assert capabilities((FROM_ALICE + signed_clear(TEXT, ALICE)).replace(b"10", b"99")) == b""

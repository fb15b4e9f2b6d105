"""A signature outlives its certificate where a timestamp of a trusted authority, here OpenSSL, proves that it is older."""

import shutil
from datetime import timedelta

import pytest
from support.certificates import NOW
from support.mail_people import MailRoot
from support.smime_layers import FROM_ALICE, TEXT, opaque, signature_of
from support.timestamp_authority import TimestampAuthority

from sealwright.cms.signed_data import load_signed_data
from sealwright.cms.timestamp import parse_timestamp_response, timestamp_request
from sealwright.cms.unsigned_attributes import TIMESTAMP_TOKEN, add_unsigned_attribute
from sealwright.smime.verdict import judge_message

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
ROOT, OTHER = MailRoot(), MailRoot("Other")
ALICE = ROOT.person("alice", end=NOW + timedelta(days=5))
LATER = NOW + timedelta(days=10)  # the authority's certificate lasts 30 days


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return TimestampAuthority(tmp_path_factory.mktemp("tsa"), (ROOT.subject, ROOT.key))


def stamped(authority, over=None):
    content_info = signature_of(TEXT, ALICE)
    (info,) = load_signed_data(content_info).signer_infos
    request = timestamp_request(over or info.signature, nonce=7)
    token = parse_timestamp_response(authority.reply(request)).token
    return FROM_ALICE + opaque(add_unsigned_attribute(content_info, info.signature, TIMESTAMP_TOKEN, token))


def judge(message, *revoked, now=LATER, root=ROOT, at=None):
    trust = root.trust(now=now, crls=(root.crl(*revoked, at=at or now),))
    verdict = judge_message(message, lambda _: [], trust)
    (signer,) = verdict.signature.signers
    return verdict.summary, signer, {each.code for each in verdict.cautions}


def test_an_expired_signer_with_a_timestamp(authority):
    summary, signer, codes = judge(stamped(authority))
    assert summary.authentic_author == "alice@example.test"
    assert abs(signer.proven_time - NOW) < timedelta(hours=1)
    assert "signer-has-ended" in codes


def test_an_expired_signer_without_one():
    summary, signer, _ = judge(FROM_ALICE + opaque(signature_of(TEXT, ALICE)))
    assert (summary.signature_valid, signer.problem, signer.proven_time) == (False, "expired", None)


def test_a_timestamp_changes_nothing_while_the_signer_is_valid(authority):
    summary, signer, codes = judge(stamped(authority), now=NOW + timedelta(hours=2))
    assert summary.authentic_author == "alice@example.test"
    assert signer.proven_time is not None
    assert codes == {"subject-not-protected"}, "the signature covers the text alone"


@pytest.mark.parametrize("case", ["another signature", "a strange authority", "an authority that has ended"])
def test_what_proves_nothing(authority, tmp_path, case):
    """RFC 3161 section 2.2: the imprint, the authority's certificate and its purpose are checked by whoever relies on it."""
    if case == "another signature":
        message, now = stamped(authority, over=b"something else"), LATER
    elif case == "a strange authority":
        message, now = stamped(TimestampAuthority(tmp_path, (OTHER.subject, OTHER.key))), LATER
    else:
        message, now = stamped(authority), NOW + timedelta(days=31)
    summary, signer, _ = judge(message, now=now)
    assert (summary.signature_valid, summary.authentic_author) == (False, None)
    assert (signer.problem, signer.proven_time) == ("expired", None)


def test_a_certificate_revoked_before_the_timestamp_stays_revoked(authority):
    summary, signer, _ = judge(stamped(authority), ALICE.certificate, at=NOW + timedelta(hours=1))
    assert (summary.signature_valid, summary.authentic_author) == (False, None)
    assert signer.problem in ("expired", "revoked")

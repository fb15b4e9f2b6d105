"""What is asked for while a signer is judged, and when: nothing that a stranger wrote into a certificate."""

from datetime import timedelta

import pytest
from support.certificates import NOW
from support.mail_people import MailRoot
from support.smime_layers import TEXT, signature_of

from sealwright.cms.signed_data import load_signed_data
from sealwright.errors import PathValidationError
from sealwright.pkix.revocation import Evidence
from sealwright.smime.signers import judge_signed_data
from sealwright.smime.trust import Trust, find_trusted_path

ROOT, OTHER = MailRoot(), MailRoot("Other")
ALICE, STRANGER = ROOT.person("alice"), OTHER.person("alice")


class Fetcher:
    """Notes what it is asked for."""

    def __init__(self, *crls):
        self.crls, self.asked = crls, []

    def __call__(self, path):
        self.asked.append(list(path))
        return Evidence(self.crls)


def trust(fetcher, **options):
    return Trust(**{"now": NOW, "anchors": (ROOT.certificate,), "fetch_evidence": fetcher, **options})


def test_lists_are_fetched_for_a_valid_path():
    fetcher = Fetcher(ROOT.crl())
    found = find_trusted_path(ALICE.certificate, (), trust(fetcher))
    assert fetcher.asked == [[ALICE.certificate, ROOT.certificate]]
    assert (found.path, found.without_status) == ((ALICE.certificate, ROOT.certificate), ())


@pytest.mark.parametrize("options", [{}, {"anchors": ()}, {"now": NOW + timedelta(days=500)}])
def test_nothing_is_fetched_for_a_path_that_is_not_valid(options):
    """EFAIL section 6.2 and RFC 8550 section 4.1: status look-ups are a back channel to whoever wrote the certificate."""
    fetcher = Fetcher(ROOT.crl())
    with pytest.raises(PathValidationError):
        find_trusted_path(STRANGER.certificate, (OTHER.certificate,), trust(fetcher, **options))
    assert fetcher.asked == []


def test_nothing_is_fetched_for_a_signature_that_does_not_hold():
    fetcher = Fetcher(ROOT.crl())
    verdict = judge_signed_data(
        load_signed_data(signature_of(TEXT, ALICE, detached=True)), TEXT + b"more", trust(fetcher)
    )
    assert verdict.signers[0].problem == "content-changed"
    assert fetcher.asked == []


def test_a_fetched_revocation_counts():
    fetcher = Fetcher(ROOT.crl(ALICE.certificate))
    with pytest.raises(PathValidationError) as refused:
        find_trusted_path(ALICE.certificate, (), trust(fetcher))
    assert refused.value.code == "revoked"


def test_a_list_that_the_message_brings_revokes_too():
    """RFC 8550 section 2.1: agents recognize CRLs in a message."""
    with pytest.raises(PathValidationError) as refused:
        find_trusted_path(ALICE.certificate, (), trust(Fetcher()), crls=[ROOT.crl(ALICE.certificate)])
    assert refused.value.code == "revoked"


def test_an_expired_signer_is_named_as_such():
    expired = ROOT.person("alice", start=NOW - timedelta(days=99), end=NOW - timedelta(days=9))
    verdict = judge_signed_data(load_signed_data(signature_of(TEXT, expired)), None, ROOT.trust())
    assert [signer.problem for signer in verdict.signers] == ["expired"]
    earlier = judge_signed_data(
        load_signed_data(signature_of(TEXT, expired)), None, ROOT.trust(now=NOW - timedelta(days=30))
    )
    assert earlier.signers[0].is_valid


def test_no_secret_and_no_text_is_in_a_repr():
    verdict = judge_signed_data(load_signed_data(signature_of(TEXT, ALICE)), None, ROOT.trust())
    assert "Pay 10" not in repr(verdict)

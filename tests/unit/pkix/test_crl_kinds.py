"""Revocation lists of every kind (RFC 5280 section 6.3): what counts, what does not, and for how long."""

from datetime import timedelta

import pytest
from cryptography import x509
from support.foreign_ca import DAY, NOW, key_usage, name, point, revoked, root

from sealwright.errors import PathValidationError
from sealwright.pkix import crl_status
from sealwright.pkix.path import validate_path

ROOT = root()
LEAF = ROOT.leaf()
HOUR = timedelta(hours=1)
KEY, CA_KEY, SUPERSEDED, HOLD, REMOVE = (
    x509.ReasonFlags.key_compromise,
    x509.ReasonFlags.ca_compromise,
    x509.ReasonFlags.superseded,
    x509.ReasonFlags.certificate_hold,
    x509.ReasonFlags.remove_from_crl,
)
HERE, THERE = (x509.UniformResourceIdentifier(f"http://ca.test/{number}.crl") for number in (1, 2))
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")


def outcome(*crls, leaf=LEAF, others=(), anchor=ROOT, **knobs):
    """Return the leaf's state, or the code of the refusal."""
    intermediates = [other.certificate for other in others]
    knobs = {"now": NOW, "purpose": "sign", **knobs}
    try:
        path = validate_path(leaf.certificate, intermediates, [anchor.certificate], crls=crls, **knobs)
    except PathValidationError as error:
        return error.code
    return path.statuses[0].state


def at(*names, reasons=None, crl_issuer=None):
    return x509.CRLDistributionPoints([x509.DistributionPoint(list(names) or None, None, reasons, crl_issuer)])


def test_a_complete_list():
    assert outcome() == "unknown"
    assert outcome(ROOT.crl()) == "good"
    assert outcome(ROOT.crl(revoked(LEAF))) == "revoked"
    assert outcome(ROOT.crl(revoked(ROOT.leaf()))) == "good"
    assert outcome(root().crl()) == "unknown"  # the same name with another key
    with pytest.raises(PathValidationError) as caught:
        validate_path(LEAF.certificate, [], [ROOT.certificate], now=NOW, purpose="sign", require_status=True)
    assert caught.value.code == "status-unknown"


@pytest.mark.parametrize(
    ("this_update", "next_update", "state"),
    [(-DAY, DAY, "good"), (-2 * DAY, -DAY, "unknown"), (DAY, 2 * DAY, "unknown"), (timedelta(minutes=3), DAY, "good")],
)
def test_only_a_current_list_says_good(this_update, next_update, state):
    assert outcome(ROOT.crl(this_update=NOW + this_update, next_update=NOW + next_update)) == state
    # but nobody takes a revocation back
    named = ROOT.crl(revoked(LEAF, date=NOW - 9 * DAY), this_update=NOW + this_update, next_update=NOW + next_update)
    assert outcome(named) == "revoked"
    assert outcome(named, ROOT.crl(number=2, this_update=NOW - HOUR)) == "revoked"


def test_a_hold_ends_with_the_next_list():
    hold = ROOT.crl(revoked(LEAF, HOLD), number=1, this_update=NOW - 2 * HOUR)
    assert outcome(hold) == "revoked"
    assert outcome(hold, ROOT.crl(number=2, this_update=NOW - HOUR)) == "good"
    assert outcome(ROOT.crl(number=0, this_update=NOW - 3 * HOUR), hold) == "revoked"


def test_delta_lists_change_their_base():
    base = ROOT.crl(number=5, this_update=NOW - DAY)
    delta = ROOT.crl(revoked(LEAF), number=7, base=5, this_update=NOW - HOUR)
    assert outcome(base, delta) == "revoked"
    assert outcome(delta) == "unknown"  # without a base it says nothing (section 5.2.4)
    assert outcome(ROOT.crl(number=4), delta) == "good"  # its base is too old for this delta
    assert outcome(ROOT.crl(number=8), delta) == "good"  # and this one is newer than the delta
    hold = ROOT.crl(revoked(LEAF, HOLD), number=5, this_update=NOW - DAY)
    lifted = ROOT.crl(revoked(LEAF, REMOVE), number=7, base=5, this_update=NOW - HOUR)
    assert outcome(hold, lifted) == "good"
    assert outcome(hold, ROOT.crl(number=7, base=5, this_update=NOW - HOUR)) == "revoked"
    lasting = ROOT.crl(revoked(LEAF, SUPERSEDED), number=5, this_update=NOW - DAY)
    assert outcome(lasting, lifted) == "revoked"  # removeFromCRL ends a hold, nothing else


def test_a_current_delta_brings_an_old_base_up_to_date():
    base = ROOT.crl(number=5, this_update=NOW - 3 * DAY, next_update=NOW - DAY)
    assert outcome(base) == "unknown"
    assert outcome(base, ROOT.crl(number=7, base=5, this_update=NOW - HOUR)) == "good"


def test_partitioned_lists_count_at_their_distribution_point():
    leaf = ROOT.leaf("Alice", at(HERE))
    assert outcome(ROOT.crl(point=point(full_name=[HERE])), leaf=leaf) == "good"
    assert outcome(ROOT.crl(point=point(full_name=[THERE])), leaf=leaf) == "unknown"
    assert outcome(ROOT.crl(), leaf=leaf) == "good"
    assert outcome(ROOT.crl(point=point(full_name=[HERE]))) == "unknown"  # a leaf that names no point
    whole = point(full_name=[x509.DirectoryName(name("root"))])  # equal, in other letters
    assert outcome(ROOT.crl(point=whole)) == "good"


def test_lists_for_one_kind_of_certificates():
    sub = ROOT.sub_ca("Sub")
    leaf = sub.leaf()
    users, cas = point(only_contains_user_certs=True), point(only_contains_ca_certs=True)
    assert outcome(ROOT.crl(point=users)) == "good"
    assert outcome(ROOT.crl(point=cas)) == "unknown"
    assert outcome(ROOT.crl(point=point(only_contains_attribute_certs=True))) == "unknown"
    # the CA's own entry is believed in the list of CAs only
    wrong, right = (ROOT.crl(revoked(sub), point=one) for one in (users, cas))
    assert outcome(sub.crl(), wrong, leaf=leaf, others=[sub]) == "good"
    assert outcome(sub.crl(), right, leaf=leaf, others=[sub]) == "revoked"


def test_lists_of_some_reasons_cover_all_only_together():
    some, rest = frozenset((KEY, CA_KEY)), crl_status.ALL_REASONS - {KEY, CA_KEY}
    first = ROOT.crl(point=point(only_some_reasons=some))
    second = ROOT.crl(point=point(only_some_reasons=rest))
    assert outcome(first) == "unknown"
    assert outcome(first, second) == "good"
    assert outcome(ROOT.crl(revoked(LEAF, KEY), point=point(only_some_reasons=some)), second) == "revoked"
    limited = ROOT.leaf("Alice", at(HERE, reasons=some))
    assert outcome(ROOT.crl(point=point(full_name=[HERE])), leaf=limited) == "unknown"


ISSUER = ROOT.issue("CRL issuer", (key_usage("crl_sign"),))
INDIRECT = point(indirect_crl=True)
BY_ISSUER = at(crl_issuer=[x509.DirectoryName(ISSUER.certificate.subject)])


def of(party):
    return x509.CertificateIssuer([x509.DirectoryName(party.certificate.subject)]), True


def test_indirect_lists_come_from_another_issuer():
    sub = ROOT.sub_ca("Sub")
    leaf, other = sub.leaf("Alice", BY_ISSUER), sub.leaf("Bob", BY_ISSUER)
    known = ROOT.crl()  # says that Sub and the CRL issuer are good
    entry = revoked(leaf, SUPERSEDED, NOW - HOUR, of(sub))

    def judge(*crls, leaf=leaf, others=(sub, ISSUER)):
        return outcome(known, *crls, leaf=leaf, others=others)

    assert judge(ISSUER.crl(point=INDIRECT)) == "good"
    assert judge(ISSUER.crl()) == "unknown"  # indirectCRL MUST be asserted (section 6.3.3 (b) (1))
    assert judge(ISSUER.crl(entry, point=INDIRECT)) == "revoked"
    assert (
        judge(ISSUER.crl(revoked(leaf), point=INDIRECT)) == "good"
    )  # without certificateIssuer it is the signer's own
    assert judge(ISSUER.crl(entry, revoked(other), point=INDIRECT), leaf=other) == "revoked"  # the issuer is inherited
    assert judge(ISSUER.crl(point=INDIRECT), others=(sub,)) == "unknown"
    assert judge(ISSUER.crl(point=INDIRECT), leaf=sub.leaf()) == "unknown"  # the certificate does not send us there


def test_the_signer_of_a_list_needs_a_path_and_a_status_of_its_own():
    leaf = ROOT.leaf("Alice", BY_ISSUER)
    crl = ISSUER.crl(point=INDIRECT)
    assert outcome(crl, ROOT.crl(), leaf=leaf, others=[ISSUER]) == "good"
    assert outcome(crl, leaf=leaf, others=[ISSUER]) == "unknown"
    assert outcome(crl, ROOT.crl(revoked(ISSUER)), leaf=leaf, others=[ISSUER]) == "good"  # by the root's own list
    elsewhere = root("Elsewhere")
    stranger = elsewhere.issue("CRL issuer", (key_usage("crl_sign"),))
    assert outcome(stranger.crl(point=INDIRECT), elsewhere.crl(), leaf=leaf, others=[stranger, elsewhere]) == "unknown"
    for usage in ("digital_signature", "key_cert_sign"):  # cRLSign MUST be set (section 6.3.3 (f))
        no_signer = ROOT.issue("CRL issuer", (key_usage(usage),))
        crl = no_signer.crl(point=INDIRECT)
        assert outcome(crl, leaf=leaf, others=[no_signer]) == "unknown"


def test_a_revoked_signer_of_lists_is_not_believed():
    sub = ROOT.sub_ca("Sub")
    leaf = sub.leaf("Alice", BY_ISSUER)
    crls = [ISSUER.crl(point=INDIRECT), ROOT.crl(revoked(ISSUER))]
    assert outcome(*crls, leaf=leaf, others=[sub, ISSUER]) == "unknown"


def test_nobody_vouches_for_himself():
    lonely = ROOT.issue("CRL issuer", (key_usage("crl_sign"), BY_ISSUER))
    assert outcome(lonely.crl(point=INDIRECT), leaf=ROOT.leaf("Alice", BY_ISSUER), others=[lonely]) == "unknown"


@pytest.mark.parametrize("is_critical", [True, False])
def test_unknown_critical_extensions_make_a_list_useless(is_critical):
    """Sections 5.2 and 5.3: a CRL with a critical extension that is not processed MUST NOT be used to determine status."""
    expected = "unknown" if is_critical else "good"
    assert outcome(ROOT.crl(more=(x509.Extension(UNKNOWN.oid, is_critical, UNKNOWN),))) == expected
    entry_of_another = revoked(ROOT.leaf(), SUPERSEDED, NOW - HOUR, (UNKNOWN, is_critical))
    assert outcome(ROOT.crl(entry_of_another)) == expected


def test_certificate_issuer_has_no_place_in_a_direct_list():
    entry = revoked(LEAF, SUPERSEDED, NOW - HOUR, of(ROOT))
    assert outcome(ROOT.crl(entry)) == "unknown"
    assert outcome(ROOT.crl(entry, point=INDIRECT)) == "revoked"


def test_a_list_that_has_to_be_read_whole_has_a_limit(monkeypatch):
    crl = ROOT.crl(*(revoked(ROOT.leaf(), SUPERSEDED, NOW - HOUR, of(ROOT)) for _ in range(3)), point=INDIRECT)
    assert outcome(crl) == "good"
    monkeypatch.setattr(crl_status, "MAX_SCANNED_ENTRIES", 2)
    assert outcome(crl) == "unknown"


@pytest.mark.parametrize(
    ("reason", "invalid_for", "state"),
    [
        (SUPERSEDED, None, "revoked-later"),
        (None, None, "revoked-later"),
        (SUPERSEDED, 5 * DAY, "revoked"),  # the key had been lost before the time in question
        (KEY, None, "revoked"),  # and a stolen key may have signed at any time
        (CA_KEY, None, "revoked"),
    ],
)
def test_a_proven_time_before_the_revocation(reason, invalid_for, state):
    proven = NOW - 3 * DAY
    leaf = OLD_ROOT.leaf(start=NOW - 20 * DAY)
    more = [(x509.InvalidityDate((NOW - invalid_for).replace(tzinfo=None)), False)] if invalid_for else []
    crl = OLD_ROOT.crl(revoked(leaf, reason, NOW - 2 * DAY, *more))
    assert outcome(crl, leaf=leaf, anchor=OLD_ROOT) == "revoked"
    if state == "revoked":
        with pytest.raises(PathValidationError, match="revoked since"):
            validate(leaf, crl, proven)
    else:
        path = validate(leaf, crl, proven)
        status = path.statuses[0]
        assert path.warnings == ("revoked-later",)
        assert status.revocation_time == NOW - 2 * DAY
        assert status.reason == ("superseded" if reason else "unspecified")


OLD_ROOT = root("Old root", start=NOW - 90 * DAY)


def validate(leaf, crl, proven):
    anchors = [OLD_ROOT.certificate]
    return validate_path(leaf.certificate, [], anchors, now=NOW, at=proven, purpose="sign", crls=[crl])


def test_an_expired_certificate_is_not_good_because_todays_list_does_not_name_it():
    """Section 5: an entry may leave the list once the certificate has expired."""
    leaf, proven = OLD_ROOT.leaf(start=NOW - 30 * DAY, end=NOW - 10 * DAY), NOW - 20 * DAY
    assert validate(leaf, OLD_ROOT.crl(), proven).statuses[0].state == "unknown"
    then = OLD_ROOT.crl(this_update=proven - DAY, next_update=proven + DAY)
    assert validate(leaf, then, proven).statuses[0].state == "good"

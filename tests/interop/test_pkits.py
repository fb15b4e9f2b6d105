"""NIST's Public Key Interoperability Test Suite (PKITS 1.0.1, certificates of 2011), every test of it.

Each test is a signed mail that brings its certificates and revocation lists (`cryptography_vectors`, public domain). The
purpose is "any": the suite knows no mail purposes. Status of every certificate is required, as the suite assumes.
"""

from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path

import cryptography_vectors
import pytest
from cryptography import x509

from sealwright.cms import signed
from sealwright.errors import PathValidationError
from sealwright.pkix.path import validate_path
from sealwright.pkix.policies import ANY_POLICY, PolicySettings

DATA = Path(cryptography_vectors.__file__).parent / "x509" / "PKITS_data"
NOW = datetime(2026, 11, 24, tzinfo=UTC)
"""The suite's certificates are valid from 2010 to 2030."""
P1, P2, P3, P4, P5, P6 = (f"2.16.840.1.101.3.2.1.48.{number}" for number in range(1, 7))
ANY, NONE = {ANY_POLICY}, set()

PLAIN_TESTS = """
4.1.1 Valid Signatures Test1
4.1.2 Invalid CA Signature Test2: no-path
4.1.3 Invalid EE Signature Test3: no-path
4.1.4 Valid DSA Signatures Test4: no-path
4.1.5 Valid DSA Parameter Inheritance Test5: unreadable
4.1.6 Invalid DSA Signature Test6: no-path
4.2.1 Invalid CA notBefore Date Test1: not-yet-valid
4.2.2 Invalid EE notBefore Date Test2: not-yet-valid
4.2.3 Valid pre2000 UTC notBefore Date Test3
4.2.4 Valid GeneralizedTime notBefore Date Test4
4.2.5 Invalid CA notAfter Date Test5: expired
4.2.6 Invalid EE notAfter Date Test6: expired
4.2.7 Invalid pre2000 UTC EE notAfter Date Test7: expired
4.2.8 Valid GeneralizedTime notAfter Date Test8
4.3.1 Invalid Name Chaining EE Test1: no-path
4.3.2 Invalid Name Chaining Order Test2: no-path
4.3.3 Valid Name Chaining Whitespace Test3
4.3.4 Valid Name Chaining Whitespace Test4
4.3.5 Valid Name Chaining Capitalization Test5
4.3.6 Valid Name Chaining UIDs Test6
4.3.7 Valid RFC3280 Mandatory Attribute Types Test7
4.3.8 Valid RFC3280 Optional Attribute Types Test8
4.3.9 Valid UTF8String Encoded Names Test9
4.3.10 Valid Rollover from PrintableString to UTF8String Test10
4.3.11 Valid UTF8String Case Insensitive Match Test11
4.4.1 Missing CRL Test1: status-unknown
4.4.2 Invalid Revoked CA Test2: revoked
4.4.3 Invalid Revoked EE Test3: revoked
4.4.4 Invalid Bad CRL Signature Test4: status-unknown
4.4.5 Invalid Bad CRL Issuer Name Test5: status-unknown
4.4.6 Invalid Wrong CRL Test6: status-unknown
4.4.7 Valid Two CRLs Test7
4.4.8 Invalid Unknown CRL Entry Extension Test8: status-unknown
4.4.9 Invalid Unknown CRL Extension Test9: status-unknown
4.4.10 Invalid Unknown CRL Extension Test10: status-unknown
4.4.11 Invalid Old CRL nextUpdate Test11: status-unknown
4.4.12 Invalid pre2000 CRL nextUpdate Test12: status-unknown
4.4.13 Valid GeneralizedTime CRL nextUpdate Test13
4.4.14 Valid Negative Serial Number Test14
4.4.15 Invalid Negative Serial Number Test15: revoked
4.4.16 Valid Long Serial Number Test16
4.4.17 Valid Long Serial Number Test17
4.4.18 Invalid Long Serial Number Test18: revoked
4.4.19 Valid Separate Certificate and CRL Keys Test19
4.4.20 Invalid Separate Certificate and CRL Keys Test20: revoked
4.4.21 Invalid Separate Certificate and CRL Keys Test21: status-unknown
4.5.1 Valid Basic Self-Issued Old With New Test1
4.5.2 Invalid Basic Self-Issued Old With New Test2: revoked
4.5.3 Valid Basic Self-Issued New With Old Test3
4.5.4 Valid Basic Self-Issued New With Old Test4
4.5.5 Invalid Basic Self-Issued New With Old Test5: revoked
4.5.6 Valid Basic Self-Issued CRL Signing Key Test6
4.5.7 Invalid Basic Self-Issued CRL Signing Key Test7: revoked
4.5.8 Invalid Basic Self-Issued CRL Signing Key Test8: not-a-ca
4.6.1 Invalid Missing basicConstraints Test1: not-a-ca
4.6.2 Invalid cA False Test2: not-a-ca
4.6.3 Invalid cA False Test3: not-a-ca
4.6.4 Valid basicConstraints Not Critical Test4
4.6.5 Invalid pathLenConstraint Test5: path-length
4.6.6 Invalid pathLenConstraint Test6: path-length
4.6.7 Valid pathLenConstraint Test7
4.6.8 Valid pathLenConstraint Test8
4.6.9 Invalid pathLenConstraint Test9: path-length
4.6.10 Invalid pathLenConstraint Test10: path-length
4.6.11 Invalid pathLenConstraint Test11: path-length
4.6.12 Invalid pathLenConstraint Test12: path-length
4.6.13 Valid pathLenConstraint Test13
4.6.14 Valid pathLenConstraint Test14
4.6.15 Valid Self-Issued pathLenConstraint Test15
4.6.16 Invalid Self-Issued pathLenConstraint Test16: path-length
4.6.17 Valid Self-Issued pathLenConstraint Test17
4.7.1 Invalid keyUsage Critical keyCertSign False Test1: key-usage
4.7.2 Invalid keyUsage Not Critical keyCertSign False Test2: key-usage
4.7.3 Valid keyUsage Not Critical Test3
4.7.4 Invalid keyUsage Critical cRLSign False Test4: status-unknown
4.7.5 Invalid keyUsage Not Critical cRLSign False Test5: status-unknown
4.10.7 Invalid Mapping From anyPolicy Test7: policy
4.10.8 Invalid Mapping To anyPolicy Test8: policy
4.12.7 Valid Self-Issued inhibitAnyPolicy Test7
4.12.8 Invalid Self-Issued inhibitAnyPolicy Test8: policy
4.12.9 Valid Self-Issued inhibitAnyPolicy Test9
4.12.10 Invalid Self-Issued inhibitAnyPolicy Test10: policy
4.13.1 Valid DN nameConstraints Test1
4.13.2 Invalid DN nameConstraints Test2: name-constraints
4.13.3 Invalid DN nameConstraints Test3: name-constraints
4.13.4 Valid DN nameConstraints Test4
4.13.5 Valid DN nameConstraints Test5
4.13.6 Valid DN nameConstraints Test6
4.13.7 Invalid DN nameConstraints Test7: name-constraints
4.13.8 Invalid DN nameConstraints Test8: name-constraints
4.13.9 Invalid DN nameConstraints Test9: name-constraints
4.13.10 Invalid DN nameConstraints Test10: name-constraints
4.13.11 Valid DN nameConstraints Test11
4.13.12 Invalid DN nameConstraints Test12: name-constraints
4.13.13 Invalid DN nameConstraints Test13: name-constraints
4.13.14 Valid DN nameConstraints Test14
4.13.15 Invalid DN nameConstraints Test15: name-constraints
4.13.16 Invalid DN nameConstraints Test16: name-constraints
4.13.17 Invalid DN nameConstraints Test17: name-constraints
4.13.18 Valid DN nameConstraints Test18
4.13.19 Valid Self-Issued DN nameConstraints Test19
4.13.20 Invalid Self-Issued DN nameConstraints Test20: name-constraints
4.13.21 Valid RFC822 nameConstraints Test21
4.13.22 Invalid RFC822 nameConstraints Test22: name-constraints
4.13.23 Valid RFC822 nameConstraints Test23
4.13.24 Invalid RFC822 nameConstraints Test24: name-constraints
4.13.25 Valid RFC822 nameConstraints Test25
4.13.26 Invalid RFC822 nameConstraints Test26: name-constraints
4.13.27 Valid DN and RFC822 nameConstraints Test27
4.13.28 Invalid DN and RFC822 nameConstraints Test28: name-constraints
4.13.29 Invalid DN and RFC822 nameConstraints Test29: name-constraints
4.13.30 Valid DNS nameConstraints Test30
4.13.31 Invalid DNS nameConstraints Test31: name-constraints
4.13.32 Valid DNS nameConstraints Test32
4.13.33 Invalid DNS nameConstraints Test33: name-constraints
4.13.34 Valid URI nameConstraints Test34
4.13.35 Invalid URI nameConstraints Test35: name-constraints
4.13.36 Valid URI nameConstraints Test36
4.13.37 Invalid URI nameConstraints Test37: name-constraints
4.13.38 Invalid DNS nameConstraints Test38: name-constraints
4.14.1 Valid distributionPoint Test1
4.14.2 Invalid distributionPoint Test2: revoked
4.14.3 Invalid distributionPoint Test3: status-unknown
4.14.4 Valid distributionPoint Test4
4.14.5 Valid distributionPoint Test5
4.14.6 Invalid distributionPoint Test6: revoked
4.14.7 Valid distributionPoint Test7
4.14.8 Invalid distributionPoint Test8: status-unknown
4.14.9 Invalid distributionPoint Test9: status-unknown
4.14.10 Valid No issuingDistributionPoint Test10
4.14.11 Invalid onlyContainsUserCerts CRL Test11: status-unknown
4.14.12 Invalid onlyContainsCACerts CRL Test12: status-unknown
4.14.13 Valid onlyContainsCACerts CRL Test13
4.14.14 Invalid onlyContainsAttributeCerts Test14: status-unknown
4.14.15 Invalid onlySomeReasons Test15: revoked
4.14.16 Invalid onlySomeReasons Test16: revoked
4.14.17 Invalid onlySomeReasons Test17: status-unknown
4.14.18 Valid onlySomeReasons Test18
4.14.19 Valid onlySomeReasons Test19
4.14.20 Invalid onlySomeReasons Test20: revoked
4.14.21 Invalid onlySomeReasons Test21: revoked
4.14.22 Valid IDP with indirectCRL Test22
4.14.23 Invalid IDP with indirectCRL Test23: revoked
4.14.24 Valid IDP with indirectCRL Test24
4.14.25 Valid IDP with indirectCRL Test25
4.14.26 Invalid IDP with indirectCRL Test26: status-unknown
4.14.27 Invalid cRLIssuer Test27: status-unknown
4.14.28 Valid cRLIssuer Test28
4.14.29 Valid cRLIssuer Test29
4.14.30 Valid cRLIssuer Test30: status-unknown
4.14.31 Invalid cRLIssuer Test31: revoked
4.14.32 Invalid cRLIssuer Test32: revoked
4.14.33 Valid cRLIssuer Test33
4.14.34 Invalid cRLIssuer Test34: revoked
4.14.35 Invalid cRLIssuer Test35: status-unknown
4.15.1 Invalid deltaCRLIndicator No Base Test1: status-unknown
4.15.2 Valid delta-CRL Test2
4.15.3 Invalid delta-CRL Test3: revoked
4.15.4 Invalid delta-CRL Test4: revoked
4.15.5 Valid delta-CRL Test5
4.15.6 Invalid delta-CRL Test6: revoked
4.15.7 Valid delta-CRL Test7
4.15.8 Valid delta-CRL Test8
4.15.9 Invalid delta-CRL Test9: revoked
4.15.10 Invalid delta-CRL Test10: status-unknown
4.16.1 Valid Unknown Not Critical Certificate Extension Test1
4.16.2 Invalid Unknown Critical Certificate Extension Test2: critical-extension
"""
"""Number, title, and the code of the error where the suite's expected result, or ours, is a refusal."""

DIFFERENT_BY_DESIGN = {
    "4.1.4": "DSA is not used for mail any more (RFC 8550 section 4.3 makes it historic)",
    "4.1.5": "DSA, and its parameters come from the issuer, which RFC 5280 section 4.1.2.7 leaves to old certificates",
    "4.14.30": "the list's signer is the only one who says that its own certificate is not revoked; the suite allows either",
}
"""Tests of paths that the suite calls valid and that are refused here."""

EXPLICIT, NO_MAPPING, NO_ANY = (
    {"require_explicit_policy": True},
    {"inhibit_policy_mapping": True},
    {"inhibit_any_policy": True},
)
POLICY_TESTS = (
    # number, title, initial policies, other settings, policies that the path is valid for or None where it is refused
    ("4.8.1.1", "All Certificates Same Policy Test1", ANY, EXPLICIT, {P1}),
    ("4.8.1.2", "All Certificates Same Policy Test1", {P1}, EXPLICIT, {P1}),
    ("4.8.1.3", "All Certificates Same Policy Test1", {P2}, EXPLICIT, None),
    ("4.8.1.4", "All Certificates Same Policy Test1", {P1, P2}, EXPLICIT, {P1}),
    ("4.8.2.1", "All Certificates No Policies Test2", ANY, {}, NONE),
    ("4.8.2.2", "All Certificates No Policies Test2", ANY, EXPLICIT, None),
    ("4.8.3.1", "Different Policies Test3", ANY, {}, NONE),
    ("4.8.3.2", "Different Policies Test3", ANY, EXPLICIT, None),
    ("4.8.3.3", "Different Policies Test3", {P1, P2}, EXPLICIT, None),
    ("4.8.4", "Different Policies Test4", ANY, {}, None),
    ("4.8.5", "Different Policies Test5", ANY, {}, None),
    ("4.8.6.1", "Overlapping Policies Test6", ANY, {}, {P1}),
    ("4.8.6.2", "Overlapping Policies Test6", {P1}, {}, {P1}),
    ("4.8.6.3", "Overlapping Policies Test6", {P2}, {}, None),
    ("4.8.7", "Different Policies Test7", ANY, {}, None),
    ("4.8.8", "Different Policies Test8", ANY, {}, None),
    ("4.8.9", "Different Policies Test9", ANY, {}, None),
    ("4.8.10.1", "All Certificates Same Policies Test10", ANY, {}, {P1, P2}),
    ("4.8.10.2", "All Certificates Same Policies Test10", {P1}, {}, {P1}),
    ("4.8.10.3", "All Certificates Same Policies Test10", {P2}, {}, {P2}),
    ("4.8.11.1", "All Certificates AnyPolicy Test11", ANY, {}, ANY),
    ("4.8.11.2", "All Certificates AnyPolicy Test11", {P1}, {}, {P1}),
    ("4.8.12", "Different Policies Test12", ANY, {}, None),
    ("4.8.13.1", "All Certificates Same Policies Test13", {P1}, {}, {P1}),
    ("4.8.13.2", "All Certificates Same Policies Test13", {P2}, {}, {P2}),
    ("4.8.13.3", "All Certificates Same Policies Test13", {P3}, {}, {P3}),
    ("4.8.14.1", "AnyPolicy Test14", {P1}, {}, {P1}),
    ("4.8.14.2", "AnyPolicy Test14", {P2}, {}, None),
    ("4.8.15", "User Notice Qualifier Test15", ANY, {}, {P1}),
    ("4.8.16", "User Notice Qualifier Test16", ANY, {}, {P1}),
    ("4.8.17", "User Notice Qualifier Test17", ANY, {}, {P1}),
    ("4.8.18.1", "User Notice Qualifier Test18", {P1}, {}, {P1}),
    ("4.8.18.2", "User Notice Qualifier Test18", {P2}, {}, {P2}),
    ("4.8.19", "User Notice Qualifier Test19", ANY, {}, {P1}),
    ("4.8.20", "CPS Pointer Qualifier Test20", ANY, EXPLICIT, {P1}),
    ("4.9.1", "Valid RequireExplicitPolicy Test1", ANY, {}, NONE),
    ("4.9.2", "Valid RequireExplicitPolicy Test2", ANY, {}, NONE),
    ("4.9.3", "Invalid RequireExplicitPolicy Test3", ANY, {}, None),
    ("4.9.4", "Valid RequireExplicitPolicy Test4", ANY, {}, {P1}),
    ("4.9.5", "Invalid RequireExplicitPolicy Test5", ANY, {}, None),
    ("4.9.6", "Valid Self-Issued requireExplicitPolicy Test6", ANY, {}, NONE),
    ("4.9.7", "Invalid Self-Issued requireExplicitPolicy Test7", ANY, {}, None),
    ("4.9.8", "Invalid Self-Issued requireExplicitPolicy Test8", ANY, {}, None),
    ("4.10.1.1", "Valid Policy Mapping Test1", {P1}, {}, {P1}),
    ("4.10.1.2", "Valid Policy Mapping Test1", {P2}, {}, None),
    ("4.10.1.3", "Valid Policy Mapping Test1", ANY, NO_MAPPING, None),
    ("4.10.2.1", "Invalid Policy Mapping Test2", ANY, {}, None),
    ("4.10.2.2", "Invalid Policy Mapping Test2", ANY, NO_MAPPING, None),
    ("4.10.3.1", "Valid Policy Mapping Test3", {P1}, {}, None),
    ("4.10.3.2", "Valid Policy Mapping Test3", {P2}, {}, {P2}),
    ("4.10.4", "Invalid Policy Mapping Test4", ANY, {}, None),
    ("4.10.5.1", "Valid Policy Mapping Test5", {P1}, {}, {P1}),
    ("4.10.5.2", "Valid Policy Mapping Test5", {P6}, {}, None),
    ("4.10.6.1", "Valid Policy Mapping Test6", {P1}, {}, {P1}),
    ("4.10.6.2", "Valid Policy Mapping Test6", {P6}, {}, None),
    ("4.10.9", "Valid Policy Mapping Test9", ANY, {}, {P1}),
    ("4.10.10", "Invalid Policy Mapping Test10", ANY, {}, None),
    ("4.10.11", "Valid Policy Mapping Test11", ANY, {}, {P1}),
    ("4.10.12.1", "Valid Policy Mapping Test12", {P1}, {}, {P1}),
    ("4.10.12.2", "Valid Policy Mapping Test12", {P2}, {}, {P2}),
    ("4.10.13.1", "Valid Policy Mapping Test13", ANY, {}, {P1}),
    ("4.10.14", "Valid Policy Mapping Test14", ANY, {}, {P1}),
    ("4.11.1", "Invalid inhibitPolicyMapping Test1", ANY, {}, None),
    ("4.11.2", "Valid inhibitPolicyMapping Test2", ANY, {}, {P1}),
    ("4.11.3", "Invalid inhibitPolicyMapping Test3", ANY, {}, None),
    ("4.11.4", "Valid inhibitPolicyMapping Test4", ANY, {}, {P2}),
    ("4.11.5", "Invalid inhibitPolicyMapping Test5", ANY, {}, None),
    ("4.11.6", "Invalid inhibitPolicyMapping Test6", ANY, {}, None),
    ("4.11.7", "Valid Self-Issued inhibitPolicyMapping Test7", ANY, {}, {P1}),
    ("4.11.8", "Invalid Self-Issued inhibitPolicyMapping Test8", ANY, {}, None),
    ("4.11.9", "Invalid Self-Issued inhibitPolicyMapping Test9", ANY, {}, None),
    ("4.11.10", "Invalid Self-Issued inhibitPolicyMapping Test10", ANY, {}, None),
    ("4.11.11", "Invalid Self-Issued inhibitPolicyMapping Test11", ANY, {}, None),
    ("4.12.1", "Invalid inhibitAnyPolicy Test1", ANY, {}, None),
    ("4.12.2", "Valid inhibitAnyPolicy Test2", ANY, {}, {P1}),
    ("4.12.3.1", "inhibitAnyPolicy Test3", ANY, {}, {P1}),
    ("4.12.3.2", "inhibitAnyPolicy Test3", ANY, NO_ANY, None),
    ("4.12.4", "Invalid inhibitAnyPolicy Test4", ANY, {}, None),
    ("4.12.5", "Invalid inhibitAnyPolicy Test5", ANY, {}, None),
    ("4.12.6", "Invalid inhibitAnyPolicy Test6", ANY, {}, None),
)


def load(title):
    """Return leaf, other certificates and lists of a test."""
    name = title.replace(" ", "").replace("-", "")
    mail = message_from_bytes((DATA / "smime" / f"Signed{name}.eml").read_bytes())
    # whether the mail's own signature holds is not the question here
    examined = signed.examine(mail.get_payload()[1].get_payload(decode=True), b"")
    (signer,) = examined.signers
    crls = [x509.load_der_x509_crl(crl) for crl in examined.crls]
    return signer.certificate, examined.certificates, crls


def validate(title, policies=None):
    leaf, certificates, crls = load(title)
    anchor = x509.load_der_x509_certificate((DATA / "certs" / "TrustAnchorRootCertificate.crt").read_bytes())
    return validate_path(
        leaf, certificates, [anchor], now=NOW, purpose="any", crls=crls, policies=policies, require_status=True
    )


def plain_tests():
    for line in PLAIN_TESTS.strip().splitlines():
        number, _, rest = line.partition(" ")
        title, _, code = rest.partition(": ")
        yield pytest.param(number, title, code, id=number)


@pytest.mark.parametrize(("number", "title", "code"), list(plain_tests()))
def test_plain(number, title, code):
    assert (number in DIFFERENT_BY_DESIGN) == (title.startswith("Valid") and bool(code))
    if code == "unreadable":
        leaf, _certificates, _crls = load(title)
        assert leaf is None
    elif code:
        with pytest.raises(PathValidationError) as caught:
            validate(title)
        assert caught.value.code == code
    else:
        assert {status.state for status in validate(title).statuses} == {"good"}


@pytest.mark.parametrize(
    ("title", "initial", "settings", "expected"), [pytest.param(*test[1:], id=test[0]) for test in POLICY_TESTS]
)
def test_policies(title, initial, settings, expected):
    policies = PolicySettings(frozenset(initial), **settings)
    if expected is None:
        with pytest.raises(PathValidationError) as caught:
            validate(title, policies)
        assert caught.value.code == "policy"
    else:
        assert validate(title, policies).valid_policies == expected


def test_every_test_of_the_suite_is_in_a_table():
    plain = [line.partition(" ")[2].partition(": ")[0] for line in PLAIN_TESTS.strip().splitlines()]
    titles = {title.replace(" ", "").replace("-", "") for title in [*plain, *(test[1] for test in POLICY_TESTS)]}
    mails = {mail.stem.removeprefix("Signed") for mail in (DATA / "smime").glob("*.eml")}
    assert titles == mails
    assert (len(plain), len(POLICY_TESTS), len(mails)) == (167, 80, 224)

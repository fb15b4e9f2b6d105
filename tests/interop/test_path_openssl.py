"""OpenSSL's opinion on the same paths, lists and responses; RSA-1024 and SHA-1, which it still makes."""

import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from support.foreign_ca import DAY, NOW, point, revoked, root

from sealwright.errors import PathValidationError
from sealwright.pkix.ocsp import build_request, nonce_of
from sealwright.pkix.path import validate_path
from sealwright.pkix.policies import PolicySettings

ROOT = root()


def policies(*oids):
    return x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(oid), None) for oid in oids])


def constraints(*permitted):
    return x509.NameConstraints([x509.RFC822Name(one) for one in permitted], None)


def chain(*extensions, leaf=(), **knobs):
    ca = ROOT.sub_ca("CA", *extensions, **knobs)
    return ca, ca.leaf("Alice", *leaf)


PLAIN, EXPIRED = chain(), chain(start=NOW - 9 * DAY, end=NOW - DAY)
NARROW = ROOT.sub_ca("CA", x509.BasicConstraints(True, 0))
BELOW = NARROW.sub_ca("Below")
HERE = x509.UniformResourceIdentifier("http://ca.test/1.crl")
PARTITIONED = chain(leaf=(x509.CRLDistributionPoints([x509.DistributionPoint([HERE], None, None, None)]),))
# OpenSSL takes delta lists only where freshestCRL speaks of them
FRESHEST = chain(leaf=(x509.FreshestCRL([x509.DistributionPoint([HERE], None, None, None)]),))
P1, P2 = "1.2.3.1", "1.2.3.2"
POLICY = chain(policies(P1), leaf=(policies(P1),))
CASES = {
    # name: certificates from the leaf's issuer down, lists, policy, whether it is valid
    "plain": (PLAIN, (), None, True),
    "expired": (EXPIRED, (), None, False),
    "path length": ((NARROW, BELOW, BELOW.leaf()), (), None, False),
    "no CA": ((*PLAIN, PLAIN[1].leaf("Bob")), (), None, False),
    "permitted name": (chain(constraints("example.test")), (), None, True),
    "other name": (chain(constraints("other.test")), (), None, False),
    "policy": (POLICY, (), P1, True),
    "other policy": (POLICY, (), P2, False),
    "no policy": (PLAIN, (), P1, False),
    "good": (PLAIN, (ROOT.crl(), PLAIN[0].crl()), None, True),
    "revoked": (PLAIN, (ROOT.crl(), PLAIN[0].crl(revoked(PLAIN[1]))), None, False),
    "revoked CA": (PLAIN, (ROOT.crl(revoked(PLAIN[0])), PLAIN[0].crl()), None, False),
    "old list": (PLAIN, (ROOT.crl(), PLAIN[0].crl(this_update=NOW - 9 * DAY, next_update=NOW - DAY)), None, False),
    "missing list": (PLAIN, (ROOT.crl(),), None, False),
    "partition": (PARTITIONED, (ROOT.crl(), PARTITIONED[0].crl(point=point(full_name=[HERE]))), None, True),
    "other partition": (PLAIN, (ROOT.crl(), PLAIN[0].crl(point=point(full_name=[HERE]))), None, False),
    "delta": (
        FRESHEST,
        (ROOT.crl(), FRESHEST[0].crl(number=5), FRESHEST[0].crl(revoked(FRESHEST[1]), number=6, base=5)),
        None,
        False,
    ),
}


def pem(*objects):
    return b"".join(one.public_bytes(Encoding.PEM) for one in objects)


@pytest.mark.parametrize("name", CASES)
def test_openssl_thinks_the_same(name, tmp_path):
    (*cas, leaf), crls, policy, is_valid = CASES[name]
    (tmp_path / "root.pem").write_bytes(pem(ROOT.certificate))
    (tmp_path / "cas.pem").write_bytes(pem(*(ca.certificate for ca in cas)))
    (tmp_path / "leaf.pem").write_bytes(pem(leaf.certificate))
    command = [
        "openssl",
        "verify",
        "-CAfile",
        "root.pem",
        "-no-CApath",
        "-untrusted",
        "cas.pem",
        "-purpose",
        "smimesign",
    ]
    if crls:
        (tmp_path / "crls.pem").write_bytes(pem(*crls))
        command += ["-CRLfile", "crls.pem", "-crl_check_all", "-extended_crl", "-use_deltas"]
    if policy:
        command += ["-policy_check", "-explicit_policy", "-policy", policy]
    theirs = subprocess.run([*command, "leaf.pem"], cwd=tmp_path, capture_output=True, check=False)
    settings = PolicySettings(frozenset((policy,)), require_explicit_policy=True) if policy else None
    try:
        validate_path(
            leaf.certificate,
            [ca.certificate for ca in cas],
            [ROOT.certificate],
            now=NOW,
            purpose="sign",
            crls=crls,
            policies=settings,
            require_status=bool(crls),
        )
        ours = True
    except PathValidationError:
        ours = False
    assert (ours, theirs.returncode == 0) == (is_valid, is_valid), theirs.stderr


@pytest.mark.parametrize("by_delegate", [True, False])
@pytest.mark.parametrize("line", ["V", "R"])
def test_openssl_answers_our_request(tmp_path, by_delegate, line):
    leaf, delegate = ROOT.leaf(), ROOT.responder()
    signer, nonce = delegate if by_delegate else ROOT, bytes(range(32))
    when = (NOW - DAY).strftime("%y%m%d%H%M%SZ")
    until = leaf.certificate.not_valid_after_utc.strftime("%y%m%d%H%M%SZ")
    revocation = f"{when},superseded" if line == "R" else ""
    serial_number = f"{leaf.certificate.serial_number:040X}"
    entry = f"{line}\t{until}\t{revocation}\t{serial_number}\tunknown\t/CN=Alice\n"
    files = {
        "root.pem": pem(ROOT.certificate),
        "signer.pem": pem(signer.certificate),
        "signer.key": signer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        "index.txt": entry.encode(),
        "request.der": build_request(leaf.certificate, ROOT.certificate, nonce),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    command = "openssl ocsp -index index.txt -CA root.pem -rsigner signer.pem -rkey signer.key -ndays 1"
    command += " -reqin request.der -respout response.der -noverify"
    subprocess.run(command.split(), cwd=tmp_path, capture_output=True, check=True)
    response = (tmp_path / "response.der").read_bytes()
    assert nonce_of(response) == nonce
    given = {"now": NOW + DAY / 24, "purpose": "sign", "ocsp_responses": [response]}
    if line == "R":
        with pytest.raises(PathValidationError, match=r"revoked since .* \(superseded\)"):
            validate_path(leaf.certificate, [], [ROOT.certificate], **given)
    else:
        path = validate_path(leaf.certificate, [], [ROOT.certificate], **given)
        assert path.statuses[0].state == "good"


@pytest.fixture(scope="module")
def weak(tmp_path_factory):
    """A root, an RSA-1024 leaf under SHA-256, and an RSA-2048 leaf under SHA-1, all by OpenSSL."""
    folder = tmp_path_factory.mktemp("weak")

    def openssl(command):
        subprocess.run(["openssl", *command.split()], cwd=folder, capture_output=True, check=True)

    openssl("req -x509 -newkey rsa:2048 -sha256 -nodes -keyout root.key -out root.pem -subj /CN=Root -days 9")
    for name, bits, digest in (
        ("small", 1024, "sha256"),
        ("sha1", 2048, "sha1"),
        ("md5", 2048, "md5"),
        ("tiny", 512, "sha256"),
    ):
        openssl(f"req -newkey rsa:{bits} -sha256 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}")
        openssl(
            f"x509 -req -in {name}.csr -{digest} -CA root.pem -CAkey root.key -CAcreateserial -out {name}.pem -days 9"
        )
    return {file.stem: x509.load_pem_x509_certificate(file.read_bytes()) for file in folder.glob("*.pem")}


@pytest.mark.parametrize(
    ("name", "code", "warning"),
    [
        ("small", "weak-key", "rsa-1024"),
        ("sha1", "weak-signature", "sha1"),
        ("md5", "no-path", None),
        ("tiny", "weak-key", None),
    ],
)
def test_weak_keys_and_hashes_need_consent_and_are_reported(weak, name, code, warning):
    def validate(**knobs):
        return validate_path(weak[name], [], [weak["root"]], now=NOW + DAY, purpose="sign", **knobs)

    with pytest.raises(PathValidationError) as caught:
        validate()
    assert caught.value.code == code
    if warning:
        assert warning in validate(allow_weak=True).warnings
    else:
        with pytest.raises(PathValidationError):
            validate(allow_weak=True)

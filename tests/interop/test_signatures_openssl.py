"""Every signature algorithm in both directions with `openssl cms` 3.0 and 3.6, in the forms that both know."""

import shutil
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from support import openssl36
from support.certificates import NOW, ec_key, rsa_key, self_signed

from sealwright.cms import signed
from sealwright.cms.signers import PrivateKeySigner
from sealwright.errors import InvalidSignatureError

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
CONTENT = b"Content-Type: text/plain\r\n\r\nboth ways\r\n"
OLD = {
    "rsa": rsa_key(),
    "p256": ec_key(),
    "p384": ec.generate_private_key(ec.SECP384R1()),
    "p521": ec.generate_private_key(ec.SECP521R1()),
    "brainpool": ec.generate_private_key(ec.BrainpoolP256R1()),
}
NEW = {
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
    "ed448": ed448.Ed448PrivateKey.generate(),
    "ml-dsa-44": mldsa.MLDSA44PrivateKey.generate(),
    "ml-dsa-65": mldsa.MLDSA65PrivateKey.generate(),
    "ml-dsa-87": mldsa.MLDSA87PrivateKey.generate(),
}
CERTIFICATES = {name: self_signed(key, name) for name, key in (OLD | NEW).items()}
PSS = ["-keyopt", "rsa_padding_mode:pss"]
TRUST = ["-purpose", "any", "-cades"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("signatures")
    for name, key in (OLD | NEW).items():
        (made / f"{name}.pem").write_bytes(CERTIFICATES[name].public_bytes(Encoding.PEM))
        (made / f"{name}.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (made / "m").write_bytes(CONTENT)
    return made


def openssl(folder, *arguments, may_fail=False):
    return subprocess.run(["openssl", "cms", *arguments], cwd=folder, check=not may_fail, capture_output=True)


def sign_arguments(name, *options):
    return [
        "-sign",
        "-binary",
        "-nodetach",
        "-outform",
        "DER",
        "-in",
        "m",
        "-signer",
        f"{name}.pem",
        "-inkey",
        f"{name}.key",
        *options,
    ]


FORMS = {
    "plain": [],
    "ber": ["-stream"],
    "without attributes": ["-noattr"],
    "key identifier": ["-keyid"],
    "cades": ["-cades"],
    "sha384": ["-md", "sha384"],
    "sha512": ["-md", "sha512"],
    "no capabilities": ["-nosmimecap"],
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", OLD)
def test_we_verify_what_openssl_signs(folder, name, form):
    (report,) = signed.verify(openssl(folder, *sign_arguments(name, *FORMS[form])).stdout, None).signers
    assert (report.certificate, report.weaknesses) == (CERTIFICATES[name], ())
    assert report.has_signed_attributes is (form != "without attributes")
    assert (report.identifier.subject_key_identifier is not None) is (form == "key identifier")
    assert bool(report.capabilities) is (form not in ("without attributes", "no capabilities"))


@pytest.mark.parametrize("digest", ["sha3-256", "sha3-384", "sha3-512"])
def test_we_verify_sha3_of_openssl(folder, digest):
    (report,) = signed.verify(openssl(folder, *sign_arguments("rsa", "-md", digest)).stdout, None).signers
    assert (report.signature_algorithm, report.digest) == (f"rsa-{digest}", digest)


@pytest.mark.parametrize("options", [[], ["-md", "sha512"], ["-noattr"], ["-keyopt", "rsa_pss_saltlen:0"]])
def test_we_verify_openssls_pss(folder, options):
    (report,) = signed.verify(openssl(folder, *sign_arguments("rsa", *PSS, *options)).stdout, None).signers
    assert report.signature_algorithm == f"rsa-pss-{'sha512' if 'sha512' in options else 'sha256'}"


@pytest.mark.parametrize("name", ["rsa", "p256"])
def test_openssls_sha1_holds_only_when_it_is_allowed(folder, name):
    message = openssl(folder, *sign_arguments(name, "-md", "sha1")).stdout
    (report,) = signed.examine(message, None).signers
    assert (report.problem, report.weaknesses, report.digest) == ("weak-algorithm", ("sha1",), "sha1")
    assert signed.verify(message, None, allow_weak=True).content == CONTENT
    md5 = openssl(folder, *sign_arguments("rsa", "-md", "md5")).stdout
    assert signed.examine(md5, None, allow_weak=True).signers[0].problem == "unsupported-algorithm"


def test_we_verify_several_signers_of_openssl(folder):
    second = ["-signer", "p384.pem", "-inkey", "p384.key"]
    message = openssl(folder, *sign_arguments("rsa", *second)).stdout
    assert {report.certificate for report in signed.verify(message, None).signers} == {
        CERTIFICATES["rsa"],
        CERTIFICATES["p384"],
    }
    (folder / "once").write_bytes(openssl(folder, *sign_arguments("rsa")).stdout)
    again = openssl(folder, "-resign", "-inform", "DER", "-in", "once", "-outform", "DER", "-nodetach", *second).stdout
    assert len(signed.verify(again, None).signers) == 2


def test_a_message_of_openssl_without_certificates(folder):
    message = openssl(folder, *sign_arguments("p256", "-nocerts")).stdout
    assert signed.examine(message, None).signers[0].problem == "certificate-missing"
    assert signed.verify(message, None, certificates=[CERTIFICATES["p256"]]).signers[0].is_intact


OPTIONS = {
    "rsa": [{}, {"digest": "sha512"}, {"rsa_padding": "pss"}, {"rsa_padding": "pss", "digest": "sha384"}],
    "p256": [{}, {"digest": "sha512"}],
    "p384": [{}],
    "p521": [{}],
}


@pytest.mark.parametrize("detached", [True, False])
@pytest.mark.parametrize(("name", "options"), [(name, each) for name, several in OPTIONS.items() for each in several])
def test_openssl_verifies_what_we_sign(folder, name, options, detached):
    signer = PrivateKeySigner(CERTIFICATES[name], OLD[name], **options)
    (folder / "s").write_bytes(signed.sign(CONTENT, [signer], detached=detached, signing_time=NOW))
    content = ["-content", "m"] if detached else []
    arguments = ["-verify", "-binary", "-inform", "DER", "-in", "s", *content, "-CAfile", f"{name}.pem", *TRUST]
    assert openssl(folder, *arguments).stdout == CONTENT


def test_openssl_verifies_our_several_signers(folder):
    signers = [PrivateKeySigner(CERTIFICATES[name], OLD[name]) for name in ("rsa", "p256", "p384")]
    (folder / "s").write_bytes(signed.sign(CONTENT, signers, detached=False, signing_time=NOW))
    (folder / "all.pem").write_bytes(
        b"".join((folder / f"{name}.pem").read_bytes() for name in ("rsa", "p256", "p384"))
    )
    arguments = ["-verify", "-binary", "-inform", "DER", "-in", "s", "-CAfile", "all.pem", *TRUST]
    assert openssl(folder, *arguments).stdout == CONTENT


def test_certificates_travel_in_both_directions(folder):
    certificates = [CERTIFICATES[name] for name in ("rsa", "ed25519")]
    (folder / "c").write_bytes(signed.certificates_only(certificates))
    command = ["openssl", "pkcs7", "-inform", "DER", "-in", "c", "-print_certs"]
    printed = subprocess.run(command, cwd=folder, check=True, capture_output=True).stdout
    assert set(x509.load_pem_x509_certificates(printed)) == set(certificates)
    command = ["openssl", "crl2pkcs7", "-nocrl", "-certfile", "rsa.pem", "-certfile", "ed25519.pem", "-outform", "DER"]
    made = subprocess.run(command, cwd=folder, check=True, capture_output=True).stdout
    assert set(signed.read_certificates_only(made).certificates) == set(certificates)


@pytest.mark.parametrize("name", [name for name in NEW if name != "ed448"])
def test_openssl36_verifies_what_we_sign(folder, name):
    (folder / "s").write_bytes(
        signed.sign(CONTENT, [PrivateKeySigner(CERTIFICATES[name], NEW[name])], detached=False, signing_time=NOW)
    )
    arguments = ["cms", "-verify", "-binary", "-inform", "DER", "-in", "s", "-CAfile", f"{name}.pem", *TRUST]
    assert openssl36.run(*arguments, folder=folder).stdout == CONTENT


@pytest.mark.parametrize("form", ["plain", "ber", "cades", "key identifier"])
@pytest.mark.parametrize("name", [name for name in NEW if name != "ed448"])
def test_we_verify_what_openssl36_signs(folder, name, form):
    message = openssl36.run("cms", *sign_arguments(name, "-md", "sha512", *FORMS[form]), folder=folder).stdout
    (report,) = signed.verify(message, None).signers
    assert (report.certificate, report.signature_algorithm, report.digest) == (CERTIFICATES[name], name, "sha512")


def test_ed448_of_openssl36(folder):
    # It writes id-shake256, as RFC 8419 wants it without attributes, and does not know id-shake256-len, which we write.
    message = openssl36.run("cms", *sign_arguments("ed448", "-md", "shake256"), folder=folder).stdout
    (report,) = signed.verify(message, None).signers
    assert (report.signature_algorithm, report.digest) == ("ed448", "shake256")
    wrong = openssl36.run("cms", *sign_arguments("ed448", "-md", "sha512"), folder=folder).stdout
    assert signed.examine(wrong, None).signers[0].problem == "algorithm-mismatch"


@pytest.mark.parametrize(
    ("name", "digest", "problem"),
    [
        ("ed25519", "sha256", "algorithm-mismatch"),  # RFC 8419 section 2.3: MUST be SHA-512
        ("ml-dsa-44", "sha256", ""),
        ("ml-dsa-65", "sha256", "algorithm-mismatch"),  # RFC 9882 section 3.3: weaker than the signature
        ("ml-dsa-65", "sha3-384", ""),
        ("ml-dsa-87", "sha384", "algorithm-mismatch"),
        ("ml-dsa-87", "sha3-512", ""),
    ],
)
def test_digests_that_openssl36_lets_pass(folder, name, digest, problem):
    result = openssl36.run("cms", *sign_arguments(name, "-md", digest), folder=folder)
    assert signed.examine(result.stdout, None).signers[0].problem == problem


def test_weak_rsa_of_openssl(folder):
    key = rsa.generate_private_key(65537, 1024)
    (folder / "weak.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "weak.pem").write_bytes(self_signed(key, "weak").public_bytes(Encoding.PEM))
    message = openssl(folder, *sign_arguments("weak")).stdout
    (report,) = signed.examine(message, None).signers
    assert (report.problem, report.weaknesses) == ("weak-algorithm", ("rsa-1024",))
    with pytest.raises(InvalidSignatureError):
        signed.verify(message, None)
    signed.verify(message, None, allow_weak=True)

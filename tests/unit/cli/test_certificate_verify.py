"""`sealwright certificate verify`: the path, or the one reason why not, without a server and a device."""

import json
import subprocess
import sys

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from support.foreign_ca import DAY, NOW, ocsp_response, revoked, root

from sealwright.cli.main import main

ROOT = root(start=NOW - 90 * DAY)
POLICY = "2.23.140.1.5.1.3"


def policies(*oids):
    return x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(oid), None) for oid in oids])


SUB = ROOT.sub_ca("Sub", policies(POLICY), start=NOW - 60 * DAY)
LEAF = SUB.leaf("Alice", policies(POLICY), start=NOW - 60 * DAY)


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SEALWRIGHT_HOME", str(tmp_path / "nobody"))
    pem = {
        name: party.certificate.public_bytes(Encoding.PEM)
        for name, party in (("root", ROOT), ("sub", SUB), ("leaf", LEAF))
    }
    files = {
        "root.pem": pem["root"],
        "sub.pem": pem["sub"],
        "leaf.pem": pem["leaf"],
        "leaf.der": LEAF.certificate.public_bytes(Encoding.DER),
        "chain.pem": pem["leaf"] + b"\n" + pem["sub"],
        "sub.p7c": pkcs7.serialize_certificates([SUB.certificate], Encoding.DER),
        "both.crl": ROOT.crl().public_bytes(Encoding.PEM) + SUB.crl().public_bytes(Encoding.PEM),
        "root.crl": ROOT.crl().public_bytes(Encoding.DER),
        "revoked.crl": SUB.crl(revoked(LEAF, x509.ReasonFlags.superseded)).public_bytes(Encoding.DER),
        "leaf.ocsp": ocsp_response(LEAF, SUB, SUB),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    def run_it(*arguments):
        given = [str(tmp_path / each) if each in files else each for each in arguments]
        with pytest.raises(SystemExit) as stopped:
            main(["certificate", "verify", *given])
            raise SystemExit(0)
        return stopped.value.code, *capsys.readouterr()

    return run_it


@pytest.mark.parametrize(
    "given",
    [
        ("leaf.pem", "--certificate", "sub.pem", "--crl", "both.crl"),
        ("leaf.der", "--certificate", "sub.p7c", "--crl", "both.crl"),
        ("chain.pem", "--crl", "root.crl", "--ocsp", "leaf.ocsp"),
    ],
)
def test_a_valid_path(run, given):
    code, out, err = run(*given, "--trust-anchor", "root.pem", "--require-status", "--json")
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert [row["status"] for row in document["path"]] == ["good", "good", "anchor"]
    assert [row["subject"] for row in document["path"]] == ["CN=Alice,C=DE", "CN=Sub,C=DE", "CN=Root,C=DE"]
    assert (document["valid"], document["valid_policies"], document["warnings"]) == (True, [POLICY], [])


def test_for_people(run):
    code, out, err = run("chain.pem", "--trust-anchor", "root.pem", "--crl", "both.crl")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == [
        "0",
        "serial",
        "1",
        "serial",
        "2",
        "serial",
        "valid",
        "policies:",
    ]
    code, out, _err = run("chain.pem", "--trust-anchor", "root.pem")
    assert "warning: status-unknown" in out


REFUSALS = [
    ((), "no-path"),
    (("--certificate", "sub.pem", "--purpose", "encrypt"), "key-usage"),
    (("--certificate", "sub.pem", "--crl", "revoked.crl"), "revoked"),
    (("--certificate", "sub.pem", "--require-status"), "status-unknown"),
    (("--certificate", "sub.pem", "--policy", "1.2.3"), "policy"),
    (("--certificate", "sub.pem", "--at", "2001-01-01"), "not-yet-valid"),
    (("--certificate", "sub.pem", "--at", "2101-01-01"), "expired"),
    (("--certificate", "sub.pem", "--purpose", "timestamp"), "purpose"),
]


@pytest.mark.parametrize(("given", "reason"), REFUSALS)
def test_one_reason_and_the_exit_code_of_verification(run, given, reason):
    code, out, err = run("leaf.pem", "--trust-anchor", "root.pem", *given)
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert err.endswith(f"[{reason}]\n")
    code, out, _err = run("leaf.pem", "--trust-anchor", "root.pem", "--json", *given)
    document = json.loads(out)
    assert (code, document["valid"], document["code"], document["path"]) == (3, False, reason, [])


def test_a_time_before_the_revocation(run):
    before = (NOW - 2 * DAY).isoformat()
    given = ("chain.pem", "--trust-anchor", "root.pem", "--crl", "revoked.crl", "--at", before, "--json")
    code, out, _err = run(*given)
    document = json.loads(out)
    assert code == 0
    assert document["path"][0]["status"] == "revoked"
    assert document["path"][0]["revocation_reason"] == "superseded"
    assert document["warnings"] == ["revoked-later", "status-unknown"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("leaf.pem",), "--trust-anchor"),
        (("both.crl", "--trust-anchor", "root.pem"), "no certificate"),
        (("leaf.pem", "--trust-anchor", "root.pem", "--policy", "mine"), "--policy"),
        (("leaf.pem", "--trust-anchor", "root.pem", "--at", "soon"), "--at"),
    ],
)
def test_wrong_input_is_another_exit_code(run, given, said):
    code, out, err = run(*given)
    assert (code, out) == (2, "")
    assert said in err


@pytest.mark.parametrize("serial_number", ["-5", "0"])
def test_a_serial_number_that_is_not_positive_prints_nothing_on_standard_error(tmp_path, serial_number):
    """RFC 5280 section 4.1.2.2: certificate users SHOULD be prepared to gracefully handle such certificates."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=a",
    ]
    files = ["-set_serial", serial_number, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*make, *files], check=True, capture_output=True)
    program = [sys.executable, "-c", "from sealwright.cli.main import main; main()"]
    verify = ["certificate", "verify", str(certificate), "--trust-anchor", str(certificate), "--json"]
    done = subprocess.run([*program, *verify], capture_output=True, text=True, check=False)
    assert (done.returncode, json.loads(done.stdout)["code"]) == (3, "leaf-is-anchor")
    assert "serial number" not in done.stderr
    assert done.stderr.count("\n") <= 1

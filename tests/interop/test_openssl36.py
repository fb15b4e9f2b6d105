"""OpenSSL 3.6, the other program of post-quantum mail: it is there, and reads the published signatures as we do."""

import base64
import os
import shutil
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from support import openssl36

from sealwright.cms import signed

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
LEVELS = ("44", "65", "87")
pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None and os.environ.get("CI") != "true", reason="openssl is not installed"
)


def test_the_command_runs_on_a_library_that_knows_post_quantum_mail(tmp_path):
    listed = openssl36.run("list", "-kem-algorithms", "-signature-algorithms", folder=tmp_path).stdout
    assert b"ML-KEM-768" in listed
    assert b"ML-DSA-65" in listed
    assert openssl36.library_has("CMS_RecipientInfo_kemri_cert_cmp")
    assert not openssl36.library_has("CMS_RecipientInfo_no_such_function")


def test_the_published_messages_are_all_there():
    assert sorted(path.name for path in (VECTORS / "lamps-cms-ml-dsa").glob("*.pem")) == [
        f"mldsa{level}-signed-attrs.pem" for level in LEVELS
    ]


@pytest.mark.parametrize("level", LEVELS)
def test_published_signatures_hold_here_and_there(level, tmp_path):
    message = VECTORS / "lamps-cms-ml-dsa" / f"mldsa{level}-signed-attrs.pem"
    certificate_file = VECTORS / "lamps-dilithium" / f"ML-DSA-{level}.crt"
    content = f"ML-DSA-{level} signed-data example with signed attributes".encode()
    trust = ["-certfile", str(certificate_file), "-CAfile", str(certificate_file), "-purpose", "any"]
    there = openssl36.run("cms", "-verify", "-inform", "PEM", "-in", str(message), *trust, "-binary", folder=tmp_path)
    assert there.stdout == content
    certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
    here = signed.verify(der_of(message), None, certificates=[certificate])
    assert here.content == content
    assert here.signers[0].certificate.public_bytes(Encoding.DER) == certificate.public_bytes(Encoding.DER)


def der_of(message: Path) -> bytes:
    lines = message.read_text().splitlines()
    return base64.b64decode("".join(line for line in lines if not line.startswith("-")))

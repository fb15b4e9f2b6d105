"""docs/certificate-verify.md lists every code and every name of the JSON document, and nothing else."""

import re
from pathlib import Path

from support.foreign_ca import NOW, root

from sealwright.client.path_document import path_document, refusal_document
from sealwright.errors import PathValidationError
from sealwright.pkix.path import validate_path

TOP = Path(__file__).resolve().parents[3]
PAGE = (TOP / "docs" / "certificate-verify.md").read_text("utf-8")
DOCUMENT, REFUSALS, WARNINGS = re.split(r"^## .*$", PAGE, flags=re.MULTILINE)[1:]
CODE = re.compile(r'PathValidationError\(\s*(?:f?"[^"]*"|reason),\s*"([a-z0-9-]+)"', re.DOTALL)


def codes(section):
    return set(re.findall(r"^\| `([a-z0-9-]+)` \|", section, re.MULTILINE))


def test_every_code_of_the_source_is_listed():
    sources = "".join(path.read_text("utf-8") for path in (TOP / "src" / "sealwright" / "pkix").glob("*.py"))
    assert codes(REFUSALS) == set(CODE.findall(sources)) | {"malformed"}
    assert sources.count("PathValidationError(") - 1 == len(CODE.findall(sources))  # one passes a code on


def test_every_warning_of_the_source_is_listed():
    sources = "".join(
        (TOP / "src" / "sealwright" / "pkix" / name).read_text("utf-8") for name in ("path.py", "end_entity.py")
    )
    listed = codes(WARNINGS)
    assert all(f'"{code}"' in sources for code in listed)
    assert {"no-key-usage", "no-extended-key-usage", "rsa-1024", "sha1", "status-unknown", "revoked-later"} == listed


def test_every_name_of_the_document_is_listed():
    anchor = root()
    path = validate_path(anchor.leaf().certificate, [], [anchor.certificate], now=NOW, purpose="sign")
    document = path_document(path, "sign", NOW)
    names = {f"{name}[]" if isinstance(value, list) else name for name, value in document.items()}
    names |= {f"path[].{name}" for name in document["path"][0]}
    assert {
        name for row in re.findall(r"^\| (`.*?) \|", DOCUMENT, re.MULTILINE) for name in re.findall("`([^`]+)`", row)
    } == names
    assert document.keys() == refusal_document(PathValidationError("no", "no-path"), "sign", NOW).keys()

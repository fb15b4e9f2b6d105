"""docs/inspect.md lists every warning and every name of the JSON document, and nothing else."""

import re
from pathlib import Path
from typing import get_args

from support.mail_people import MailRoot
from support.smime_layers import FROM_ALICE, TEXT, encrypted, mixed, signed_opaque, with_header

from sealwright.client.inspection import inspect_message, inspection_document
from sealwright.cms.signer_report import Problem
from sealwright.pkix import path
from sealwright.smime.cautions import CAUTIONS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "inspect.md").read_text("utf-8")
ROOT = MailRoot()
ALICE, BOB = ROOT.person("alice"), ROOT.person("bob")
RICH = FROM_ALICE + encrypted(
    signed_opaque(with_header(mixed(TEXT, b"Content-Type: a/b\r\n\r\nx"), FROM_ALICE, protection="cipher"), ALICE), BOB
)


TABLE = PAGE.partition("## The JSON document")[2].partition("## Warnings")[0]
HAS_ITS_OWN_ROW = (
    "protected",
    "certificate",
    "recipient",
    "path",
    "recipients",
    "attachments",
    "warnings",
    "countersigners",
)
OBJECTS = ("layers", "signers", "countersigners", "path", "recipients", "attachments", "warnings")


def names(value, prefix=""):
    """Yield the names of a document with their places; what a row of the page describes as a whole is not gone into."""
    last = prefix.rpartition(".")[2]
    path = f"{prefix}[]" if last in OBJECTS else prefix
    if prefix and last not in ("summary", "headers"):
        yield path
    if last in HAS_ITS_OWN_ROW:
        return
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, dict):
            for name, below in each.items():
                yield from names(below, f"{path}.{name}".lstrip("."))


def test_every_warning_is_listed_with_its_sentence():
    rows = dict(
        re.findall(
            r"^\| `([a-z0-9-]+)` \| (.+) \|$", PAGE.partition("## Warnings")[2].partition("## ")[0], re.MULTILINE
        )
    )
    assert rows == CAUTIONS


def test_every_name_of_the_document_is_listed():
    document = inspection_document(inspect_message(RICH, BOB.find_keys, ROOT.trust()))
    assert document["summary"]["authentic_author"] == "alice@example.test"
    cells = "".join(re.findall(r"^\| (`.*?) \|", TABLE, re.MULTILINE))
    assert set(re.findall(r"`([^`]+)`", cells)) == set(names(document))


def test_what_a_row_describes_is_complete():
    document = inspection_document(inspect_message(RICH, BOB.find_keys, ROOT.trust(crls=())))
    signer = document["layers"][1]["signers"][0]
    rows = dict(re.findall(r"^\| `([a-z_.\[\]]+)` \| (.+) \|$", TABLE, re.MULTILINE))
    for row, described in [
        ("layers[].signers[].certificate", signer["certificate"]),
        ("attachments[]", document["attachments"][0]),
        ("warnings[]", document["warnings"][0]),
        ("layers[].encryption.recipient", document["layers"][0]["encryption"]["recipient"]),
    ]:
        assert set(re.findall(r"`([a-z_0-9]+)`", rows[row])) == set(described), row
    assert [set(each) for each in signer["path"]] == [set(signer["certificate"])] * 2


def test_every_problem_of_a_signature_is_listed():
    section = PAGE.partition("## Problems of a signature")[2]
    cells = "".join(re.findall(r"^\| (`.*?) \|", section, re.MULTILINE))
    of_paths = set(re.findall(r'"([a-z0-9-]+)"', path.__doc__.partition("Codes of")[2].partition("Warnings:")[0]))
    own = {"no-trust-anchor", "foreign-domain", "multipart-signed-malformed", "unreadable-layer"}
    assert len(of_paths) > 12
    assert set(re.findall(r"`([a-z0-9-]+)`", cells)) == of_paths | own | set(get_args(Problem)) - {""}

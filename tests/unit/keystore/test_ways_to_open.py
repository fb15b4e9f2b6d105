"""Every code path that can open a sealed record, found in the source: a new one does not come without being named here."""

import ast
from pathlib import Path

import sealwright

SOURCE = Path(sealwright.__file__).parent
OPENERS = {"_open", "open_record"}

WAYS = {
    # what opens a record at all
    "keystore/service_keys.py:SoftwareServiceKeystore._open": "open_record",
    # service keys and secrets, which are no keys of people: each checks the record's kind
    "keystore/service_keys.py:SoftwareServiceKeystore.sign": "_open",
    "keystore/service_keys.py:SoftwareServiceKeystore.open_secret": "_open",
    "keystore/vouching_keystore.py:VouchingKeystore.__init__": "_open",  # handed to `factors`, for protection passwords
    "keystore/factors.py:Factors.__init__": "open_record",
    "keystore/vouching_keystore.py:VouchingKeystore.finish_proof": "_open",
    # encryption keys that stay in the keystore
    "keystore/rewrapping.py:rewrap_record": "open_record",
    "keystore/software.py:SoftwareKeystore.assign_encryption_key": "_open",
    "keystore/software.py:SoftwareKeystore.examine": "_open",
    "keystore/software.py:SoftwareKeystore.unwrap_content_keys": "_open",
    # encryption keys that leave it: to the owner's device, and under a quorum
    "keystore/software.py:SoftwareKeystore.open": "_open",
    "keystore/software.py:SoftwareKeystore.recover": "_open",
    "keystore/software.py:SoftwareKeystore.open_for_exit": "_open",
}
"""Function -> what it opens with."""


def uses(tree):
    """Yield qualified function names with the opener that they mention, called or handed on."""

    def visit(node, path):
        for child in ast.iter_child_nodes(node):
            below = path
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                below = [*path, child.name]
            name = child.attr if isinstance(child, ast.Attribute) else child.id if isinstance(child, ast.Name) else ""
            if name in OPENERS:
                yield ".".join(path), name
            yield from visit(child, below)

    yield from visit(tree, [])


def test_the_ways_to_open_a_record_are_these():
    found = {}
    for path in sorted((SOURCE / "keystore").glob("*.py")):
        for function, name in uses(ast.parse(path.read_text("utf-8"))):
            found[f"keystore/{path.name}:{function}"] = name
    assert found == WAYS


def test_no_other_room_opens_records():
    for path in SOURCE.rglob("*.py"):
        if path.parent.name == "keystore":
            continue
        tree = ast.parse(path.read_text("utf-8"))
        named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
        assert not named & {"open_record", "unwrap_content_key"}, path


def test_storage_keys_are_asked_for_where_records_are_opened_and_sealed_only():
    found = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "storage_key":
                found.add(str(path.relative_to(SOURCE)))
    assert found == {"keystore/records.py"}

"""A whole log, exported and checked: it is found whole, and every lie in it is found."""

import json
import shutil

import msgspec
import pytest
from support.log_owner import MAILBOX, ORIGIN, LogServer

from sealwright.client.log_export import export_leaves, export_log, read_note
from sealwright.client.log_source import folder_source
from sealwright.client.whole_log import verify_whole_log
from sealwright.errors import DecodingError, LogVerificationError, NotFoundError, VerificationError
from sealwright.tlog.checkpoint import sign_note
from sealwright.tlog.layout import CHECKPOINT_PATH, ENTRIES, encode_bundle, parse_path
from sealwright.tlog.note import VerifierKey
from sealwright.wire.api import OpenedLeaf

SIZE = 300


def silent(_done, _total):
    pass


class Auditor:
    """Exports a log and checks it."""

    def __init__(self, server, folder):
        self.server, self.folder, self.fetched = server, folder / "export", []
        self.leaves = folder / "leaves.jsonl"
        self.key = VerifierKey(ORIGIN, server.public_key)

    def source(self, path):
        self.fetched.append(path)
        organization_id, audit = self.server.organization_id, self.server.audit
        if path == CHECKPOINT_PATH:
            return audit.checkpoint(organization_id).encode()
        wanted = parse_path(path)
        if wanted.level == ENTRIES:
            return encode_bundle(audit.entries(organization_id, wanted.index, wanted.width))
        return audit.tile(organization_id, wanted.level, wanted.index, wanted.width)

    def ask(self, first):
        opened = self.server.audit.open_leaves(self.server.organization_id, first)
        return tuple(OpenedLeaf(index=leaf.index, salt=leaf.salt, record=leaf.record) for leaf in opened)

    def export(self):
        point = export_log(self.source, self.key, self.folder, silent)
        export_leaves(self.ask, point.size, self.leaves, silent)
        return point

    def verify(self, older=None, *, opened=True):
        source = folder_source(self.folder)
        return verify_whole_log(source, self.key, silent, older=older, opened=self.leaves if opened else None)

    def refuses(self, message, **how):
        with pytest.raises((LogVerificationError, DecodingError), match=message):
            self.verify(**how)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Return an auditor with an export that no test changes."""
    folder = tmp_path_factory.mktemp("log")
    server = LogServer(folder / "server")
    with server.storage.transaction(server.organization_id) as tx:
        for number in range(SIZE):
            act_in(server, tx, number)
    server.audit.sequence(server.organization_id)
    auditor = Auditor(server, folder)
    auditor.export()
    return auditor


def act_in(server, tx, number):
    from sealwright.audit.log import Act

    kind = "key.release" if number % 3 else "key.create"
    server.audit.append(tx, Act(server.organization_id, f"{MAILBOX}{number % 7}", kind, {"number": str(number)}))


@pytest.fixture
def auditor(exported, tmp_path):
    copy = Auditor(exported.server, tmp_path)
    shutil.copytree(exported.folder, copy.folder)
    shutil.copy(exported.leaves, copy.leaves)
    return copy


def test_an_honest_log_is_whole_and_every_record_is_counted(auditor):
    found = auditor.verify()
    assert (found.checkpoint.size, found.opened, found.chains, found.set_back) == (SIZE, SIZE, 7, [])
    assert found.kinds == {"key.create": 100, "key.release": 200}
    assert auditor.verify(opened=False).opened == 0
    assert auditor.leaves.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in auditor.folder.rglob("*") if path.is_file())


def test_an_export_that_was_stopped_goes_on_and_a_later_one_adds_what_is_new(auditor):
    (auditor.folder / "tile" / "entries" / "000").unlink()
    (auditor.folder / "checkpoint").unlink()
    lines = auditor.leaves.read_bytes().splitlines(keepends=True)
    auditor.leaves.write_bytes(b"".join(lines[:10]) + lines[10][:20])
    auditor.export()
    assert auditor.fetched == ["checkpoint", "tile/entries/000"]
    assert auditor.leaves.read_bytes() == b"".join(lines)
    older = auditor.verify().checkpoint
    auditor.server.act()
    auditor.fetched.clear()
    auditor.export()
    assert set(auditor.fetched) == {"checkpoint", *(f"tile/{name}/001.p/45" for name in ("entries", "0"))}
    assert auditor.verify(older).checkpoint.size == SIZE + 1


def test_a_source_that_lies_about_widths_or_skips_leaves_is_refused(auditor):
    shutil.rmtree(auditor.folder)
    with pytest.raises(DecodingError):
        export_log(lambda path: auditor.source(path)[:-1] if path != "checkpoint" else auditor.source(path),
                   auditor.key, auditor.folder, silent)  # fmt: skip
    assert not (auditor.folder / "checkpoint").exists()
    for lie in (lambda _first: (), lambda first: auditor.ask(first)[1:]):
        auditor.leaves.unlink(missing_ok=True)
        with pytest.raises(VerificationError):
            export_leaves(lie, SIZE, auditor.leaves, silent)
    with pytest.raises(LogVerificationError):
        export_log(auditor.source, VerifierKey(ORIGIN, bytes(32)), auditor.folder, silent)


def rewrite(auditor, path, change):
    target = auditor.folder / path
    target.write_bytes(change(target.read_bytes()))


def flip(content):
    return content[:-1] + bytes((content[-1] ^ 1,))


TILES = ["tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1"]


@pytest.mark.parametrize("path", TILES)
def test_a_wrong_tile_is_found(auditor, path):
    rewrite(auditor, path, flip)
    auditor.refuses("does not hold the hashes")


@pytest.mark.parametrize("path", [*TILES, "tile/entries/000", "tile/entries/001.p/44"])
def test_a_missing_file_is_found(auditor, path):
    (auditor.folder / path).unlink()
    auditor.refuses("signed for more than the log shows")


@pytest.mark.parametrize("opened", [True, False])
def test_a_changed_entry_is_found(auditor, opened):
    rewrite(auditor, "tile/entries/001.p/44", flip)
    auditor.refuses("does not hold the hashes|does not commit", opened=opened)


def test_a_bundle_with_an_entry_too_few_is_found(auditor):
    rewrite(auditor, "tile/entries/001.p/44", lambda content: content[:-34])
    auditor.refuses("not an entry bundle")


def test_a_whole_forged_tree_needs_the_logs_key(auditor, tmp_path):
    forged = Auditor(LogServer(tmp_path / "forged", organization_id=auditor.server.organization_id), tmp_path / "f")
    forged.leaves.parent.mkdir()
    forged.server.act()
    forged.export()
    forged.key = auditor.key
    forged.refuses("not signed")


def test_a_fork_a_rollback_and_another_log_are_no_continuation(auditor, tmp_path):
    server = auditor.server
    fork = Auditor(
        LogServer(tmp_path / "fork", server.keystore, server.organization_id, server.log_key), tmp_path / "f"
    )
    fork.leaves.parent.mkdir()
    fork.server.act()
    short = fork.export()
    for _ in range(2):
        fork.server.act()
    long = fork.export()
    assert fork.verify(short).checkpoint == long
    auditor.refuses("rewritten", older=short)
    auditor.refuses("rewritten", older=long)
    fork.refuses("shorter", older=read_note(auditor.source("checkpoint"), auditor.key))


def test_a_checkpoint_over_another_root_or_map_is_found(auditor):
    point, keystore = read_note(auditor.source("checkpoint"), auditor.key), auditor.server.keystore
    for change, message in (({"root": bytes(32)}, "root"), ({"map_root": bytes(32)}, "map")):
        lie = type(point)(**({name: getattr(point, name) for name in point.__slots__} | change))
        note = sign_note(
            lie, ORIGIN, lambda text: keystore.sign(auditor.server.log_key, "ed25519", text), auditor.key.public_key
        )
        (auditor.folder / "checkpoint").write_text(note)
        if point.size != SIZE:
            auditor.export()
            (auditor.folder / "checkpoint").write_text(note)
        auditor.refuses(message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:-1], "lack leaf"),
        (lambda lines: [lines[1], lines[0], *lines[2:]], "lack leaf"),
        (lambda lines: [lines[0].replace("key.create", "key.destroy"), *lines[1:]], "does not commit"),
        (lambda lines: [json.dumps(json.loads(lines[0]) | {"salt": "AAAA"}), *lines[1:]], "does not commit"),
        (lambda lines: ["{}", *lines[1:]], "no file of opened leaves"),
    ],
)
def test_opened_leaves_that_are_not_the_logs_are_found(auditor, change, message):
    lines = auditor.leaves.read_text().splitlines()
    auditor.leaves.write_text("\n".join(change(lines)) + "\n")
    auditor.refuses(message)


def test_a_clock_that_was_set_back_is_told(tmp_path):
    from datetime import timedelta

    server = LogServer(tmp_path / "server")
    auditor = Auditor(server, tmp_path)
    now = server.audit._clock.now()
    server.audit._clock = type("Clock", (), {"now": lambda _self: now + timedelta(hours=1)})()
    server.act()
    server.audit._clock = type("Clock", (), {"now": lambda _self: now})()
    server.act()
    auditor.export()
    assert auditor.verify().set_back == [1]


def test_what_the_log_does_not_hold_is_not_shown(auditor):
    audit, organization_id = auditor.server.audit, auditor.server.organization_id
    for index, width in ((1, 200), (2, 1), (-1, 1), (0, 0), (0, 257), (2**62, 1)):
        with pytest.raises(NotFoundError):
            audit.entries(organization_id, index, width)
    assert audit.open_leaves(organization_id, 10**9) == []
    assert msgspec.json.decode(auditor.leaves.read_bytes().splitlines()[0])["index"] == 0

"""The daily report: days leave no leaf out, the files verify with openssl and with the client, and every lie in them is found."""

import csv
import io
import re
import shutil
import subprocess
import zlib
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from support.log_owner import MAILBOX, ORIGIN, LogServer

from sealwright.audit.report import DailyReports
from sealwright.client.report import check_report, keep_report, read_report
from sealwright.errors import ConflictError, DecodingError, InvalidSignatureError, NotFoundError, VerificationError
from sealwright.server.report import ReportWriter
from sealwright.wire.report import REPORT_CSV, REPORT_JSON, REPORT_PDF, SIGNATURE, SUMS, encode_sums

FIRST = date(2026, 11, 23)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Clock:
    time = NOON

    def now(self):
        return self.time


class World:
    """Three days: 4 acts, none, 2 acts; and the morning after."""

    def __init__(self, folder):
        self.clock, self.folder = Clock(), folder
        self.server = LogServer(folder / "log")
        self.server.audit._clock = self.clock
        with self.server.storage.transaction(self.server.organization_id) as tx:
            self.server.audit.reset_time(tx, self.server.organization_id, "operator")
        self.server.act("key.create")
        self.server.act("key.release", device="d" * 32)
        self.server.act("role.change", "organization", by="operator", reason="(a) \\ reason")
        self.clock.time = NOON + timedelta(days=2)
        self.server.act("key.destroy", reason="end of retention")
        self.server.act("certificate.issue")
        self.clock.time = NOON + timedelta(days=3)
        key = self.server.keystore.generate_service_key(self.server.organization_id, "report", "ed25519")
        self.reports = DailyReports(self.server.storage, self.clock, self.server.organization_id, "Example GmbH")
        self.writer = ReportWriter(self.reports, self.server.keystore, key, folder / "reports")
        self.statement = SimpleNamespace(
            report_key=key.spki[-32:],
            organization_id=self.server.organization_id,
            log_origin=ORIGIN,
            log_key=self.server.public_key,
        )

    def sign(self, report):
        """Sign another report as the server would."""
        self.writer._reports = SimpleNamespace(report=lambda _day: report)
        return self.writer.files(FIRST)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_days_follow_one_another_and_leave_no_leaf_out(world):
    days = [world.reports.report(FIRST + timedelta(days=number)) for number in range(-1, 3)]
    assert [(day.start.size, day.end.size) for day in days] == [(0, 0), (0, 4), (4, 4), (4, 6)]
    assert days[1].counts == {"key.create": 1, "key.release": 1, "role.change": 1, "time.reset": 1}
    assert [(act.index, act.kind) for act in days[3].acts] == [(4, "key.destroy")]  # an issued certificate is routine
    for day in days:
        assert check_report(world.sign(day), world.statement) == day


def test_a_day_that_is_not_over_is_not_reported(world):
    for when, newest in ((timedelta(days=3), 2), (timedelta(days=3, hours=12, minutes=5), 2), (timedelta(days=4), 3)):
        world.clock.time = NOON + when
        assert world.reports.newest_day() == FIRST + timedelta(days=newest)
    with pytest.raises(ConflictError, match="can be reported from 2026-11-28 00:10 UTC"):
        world.writer.files(FIRST + timedelta(days=4))


def test_what_is_not_signed_yet_is_waited_for(world, monkeypatch):
    def killed(*_):
        raise RuntimeError

    monkeypatch.setattr(world.server.keystore, "sign_checkpoint", killed)
    with pytest.raises(RuntimeError):
        world.server.act()
    assert world.writer.files(FIRST)
    with pytest.raises(ConflictError):
        world.writer.files(FIRST + timedelta(days=2))


def test_the_job_writes_yesterdays_report_once_and_again_after_a_crash(world):
    world.writer.write_newest()
    folder = world.folder / "reports" / "2026-11-25"
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        (REPORT_CSV, REPORT_JSON, REPORT_PDF, SUMS, SIGNATURE)
    )
    written = read_report(folder)
    assert check_report(written, world.statement).day == "2026-11-25"
    (folder / REPORT_CSV).write_bytes(b"mine")
    world.writer.write_newest()
    assert (folder / REPORT_CSV).read_bytes() == b"mine"
    (folder / SIGNATURE).unlink()
    world.writer.write_newest()
    assert read_report(folder) == written
    shutil.rmtree(folder)
    with pytest.raises(NotFoundError):
        read_report(folder)


def test_openssl_and_sha256sum_check_it(world, tmp_path):
    keep_report({**world.writer.files(FIRST), "../outside": b"no"}, tmp_path / "kept")
    assert not (tmp_path / "outside").exists()
    key = ed25519.Ed25519PublicKey.from_public_bytes(world.statement.report_key)
    (tmp_path / "kept" / "key.pem").write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    for command in (
        f"openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in {SUMS} -sigfile {SIGNATURE}",
        f"sha256sum --check --strict {SUMS}",
    ):
        subprocess.run(command.split(), cwd=tmp_path / "kept", check=True, capture_output=True)


def pdf_text(content):
    streams = re.findall(rb"stream\n(.*?)\nendstream", content, re.DOTALL)
    texts = []
    for stream in streams:
        try:
            texts.append(zlib.decompress(stream))
        except zlib.error:
            texts.append(stream)
    return b"\n".join(texts)


def test_csv_and_pdf_say_the_same(world):
    files = world.writer.files(FIRST)
    rows = list(csv.DictReader(io.StringIO(files[REPORT_CSV].decode())))
    assert [(row["leaf"], row["kind"]) for row in rows] == [
        ("0", "time.reset"),
        ("2", "key.release"),
        ("3", "role.change"),
    ]
    assert rows[2]["fields"] == "by=operator reason=(a) \\ reason"
    assert rows[1]["chain"] == MAILBOX
    assert files[REPORT_PDF].startswith(b"%PDF-1.7")
    text = pdf_text(files[REPORT_PDF])
    for words in (
        b"Daily report of Example GmbH",
        b"leaf 3  12:00:00  role.change",
        rb"reason=\(a\) \\ reason",
        b"page 1 of 1",
    ):
        assert words in text


def test_many_acts_make_many_pages_and_the_pdf_ends_somewhere(world, monkeypatch):
    monkeypatch.setattr("sealwright.server.report.MAX_PDF_ACTS", 100)
    report = world.reports.report(FIRST)
    long = msgspec.structs.replace(report.acts[0], fields={"reason": "x" * 300})
    files = world.sign(msgspec.structs.replace(report, acts=(long,) * 150, organization_name="Müller & Söhne"))
    text = pdf_text(files[REPORT_PDF])
    pages = [tuple(map(int, found)) for found in re.findall(rb"page (\d+) of (\d+)", text)]
    assert pages == [(number, len(pages)) for number in range(1, len(pages) + 1)]
    assert len(pages) > 5
    assert "Daily report of Müller & Söhne".encode("cp1252") in text
    assert b"and 50 more" in text
    assert len(files[REPORT_CSV].splitlines()) == 151


def test_every_lie_in_a_report_is_found(world):
    good = world.writer.files(FIRST)
    report = world.reports.report(FIRST)
    for name in (REPORT_CSV, REPORT_JSON, REPORT_PDF, SUMS, SIGNATURE):
        without = {key: value for key, value in good.items() if key != name}
        with pytest.raises(VerificationError, match="lacks"):
            check_report(without, world.statement)
        with pytest.raises((VerificationError, DecodingError)):
            check_report({**good, name: good[name][:-1]}, world.statement)
    other = ed25519.Ed25519PrivateKey.generate()
    sums = encode_sums({name: good[name] for name in (REPORT_CSV, REPORT_JSON, REPORT_PDF)})
    with pytest.raises(InvalidSignatureError):
        check_report({**good, SUMS: sums, SIGNATURE: other.sign(sums)}, world.statement)
    lies = {
        "an act left out of the count": {"counts": {"key.create": 1}},
        "another end": {"end": report.start},
        "another root": {"end": msgspec.structs.replace(report.end, root=bytes(32))},
        "another organization": {"organization_id": "f" * 32},
        "an act of another day": {"acts": (msgspec.structs.replace(report.acts[0], index=5),)},
        "an act twice": {"acts": (report.acts[0],) * 2},
        "an unsigned checkpoint": {"checkpoint": report.checkpoint.replace("\n6\n", "\n7\n")},
        "no proof": {"checkpoint_proof": ()},
    }
    for lie, change in lies.items():
        with pytest.raises((VerificationError, DecodingError)):
            check_report(world.sign(msgspec.structs.replace(report, **change)), world.statement)
            pytest.fail(lie)

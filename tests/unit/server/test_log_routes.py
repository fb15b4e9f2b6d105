"""The log over HTTP: anybody checks it whole, an auditor's device and the operator open its leaves, nobody else does."""

from datetime import timedelta

import msgspec
import pytest
from support.served import ALICE, BOB, Served

from sealwright.client.log_export import export_leaves, export_log
from sealwright.client.log_source import folder_source
from sealwright.client.report import check_report
from sealwright.client.whole_log import verify_whole_log
from sealwright.errors import NotFoundError
from sealwright.tlog.note import decode_verifier_key
from sealwright.wire.api import LeavesAnswer, ReportAnswer
from sealwright.wire.operator import LogDescription, RoleRequest
from sealwright.wire.roles import AUDITOR


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    made = Served(tmp_path_factory.mktemp("log"))
    yield made
    made.close()


def silent(_done, _total):
    pass


def source_of(client, prefix):
    def read(path):
        answer = client.get(f"{prefix}/{path}")
        if answer.status_code == 404:
            raise NotFoundError(path)
        assert answer.status_code == 200
        return answer.content

    return read


def test_the_log_is_fetched_and_checked_whole_by_strangers_and_opened_by_an_auditor(served, tmp_path):
    wanted = RoleRequest(address=ALICE, role=AUDITOR, holds=True, reason="yearly audit")
    assert served.operate("/local/roles", wanted).status_code == 200
    (auditor, auditors_token), (person, persons_token) = served.enrol(ALICE), served.enrol(BOB)
    described = msgspec.convert(served.local.get("/local/log").json(), LogDescription)
    key = decode_verifier_key(described.verifier_key)
    served.services.audit.sequence(served.services.organization_id)

    def ask(first):
        answer = served.ask(f"/v1/log/leaves?first={first}", auditor, auditors_token, method="GET")
        return msgspec.json.decode(answer.content, type=LeavesAnswer).leaves

    point = export_log(source_of(served.public, described.path), key, tmp_path / "log", silent)
    export_leaves(ask, point.size, tmp_path / "leaves", silent)
    found = verify_whole_log(folder_source(tmp_path / "log"), key, silent, opened=tmp_path / "leaves")
    assert found.opened == point.size > 10
    assert found.kinds["device.add"] == 2
    over_socket = verify_whole_log(source_of(served.local, described.path), key, silent)
    assert over_socket.checkpoint.size >= point.size

    assert served.ask("/v1/log/leaves?first=0", person, persons_token, method="GET").status_code == 403
    assert served.public.get("/v1/log/leaves?first=0").status_code == 401
    assert served.public.get("/local/log/leaves?first=0").status_code == 404
    assert len(served.local.get("/local/log/leaves?first=0").json()["leaves"]) >= point.size
    for first in ("-1", str(2**63), "x"):
        assert served.local.get(f"/local/log/leaves?first={first}").status_code == 400


def test_the_report_of_a_day_is_for_those_who_read_the_log(served):
    statement = served.services.statement_content
    day = f"{served.clock.now():%Y-%m-%d}"
    device, token = served.enrol(BOB)
    assert served.ask(f"/v1/log/report?day={day}", device, token, method="GET").status_code == 403
    assert served.local.get(f"/local/log/report?day={day}").status_code == 409
    for wrong in ("2026-13-01", "yesterday", "2026-11-24T00"):
        assert served.local.get(f"/local/log/report?day={wrong}").status_code == 400
    before = f"{served.clock.now() - timedelta(days=2):%Y-%m-%d}"
    served.services.audit.sequence(served.services.organization_id)
    answer = served.local.get(f"/local/log/report?day={before}")
    assert answer.status_code == 200, answer.text
    report = check_report(msgspec.json.decode(answer.content, type=ReportAnswer).files, statement)
    assert (report.day, report.counts) == (before, {})


def test_what_is_no_resource_of_the_log_is_not_found(served):
    prefix = f"/log/{served.services.organization_id}"
    for path in (
        "tile/entries/999",
        "tile/entries/0",
        "tile/entries/x001/x000/000",
        "tile/9/000",
        "tile/entries/000.p/0",
    ):
        assert served.public.get(f"{prefix}/{path}").status_code == 404
    assert served.public.get(f"/log/{'0' * 32}/tile/entries/000").status_code == 404
    checkpoint = served.public.get(f"{prefix}/checkpoint")
    assert checkpoint.headers["content-type"] == "text/plain; charset=utf-8"
    assert checkpoint.headers["cache-control"] == "no-store"

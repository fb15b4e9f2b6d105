"""`init` makes a folder that a server can open; statement, invitation, people, certificates, backup and restore work."""

import sqlite3
import stat
import tarfile
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from support.asgi_client import AsgiClient

from sealwright.audit.log import Act
from sealwright.clock import SystemClock
from sealwright.errors import AuthenticationError, ConfigurationError, ConflictError, SealedError, VerificationError
from sealwright.keystore.seal_creation import SealPlan
from sealwright.keystore.seal_options import Hsm
from sealwright.server import store
from sealwright.server.app import local_app, public_app
from sealwright.server.backup import back_up, lift_quarantine, restore
from sealwright.server.init import InitOptions, initialize, renew_delegation
from sealwright.server.jobs import Job, JobRunner
from sealwright.server.schema import metadata, upgrade
from sealwright.server.settings import (
    KeysSection,
    MailSection,
    MailServerSection,
    ServerSection,
    load_settings,
    render_settings,
)
from sealwright.server.wiring import build
from sealwright.storage.engine import open_storage
from sealwright.wire.operator import AddressRequest, PeopleImport, PersonRow
from sealwright.wire.statement import Invitation, SignedStatement, verify_statement


def options(**changes):
    made = InitOptions(
        organization='Example "Quotes" & Söhne GmbH',
        country="DE",
        organization_identifier=None,
        server=ServerSection(
            endpoints=("https://127.0.0.1:8443",),
            listen="127.0.0.1:8443",
            status_url="http://127.0.0.1:8080",
            status_listen="127.0.0.1:8080",
        ),
        domain="example.test",
        mail=MailSection(sender="sealwright@example.test"),
        imap=MailServerSection(host="mail.example.test", port=993),
        submission=MailServerSection(),
        keys=KeysSection(algorithm="p256", pool_size=2),
        seal_key_file=None,
        seal=SealPlan("key-file", 0, 0, emergency_shares=3, emergency_threshold=2),
        hsm=Hsm("", ""),
        pin_file="",
    )
    return replace(made, **changes)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server") / "data"
    return folder, initialize(folder, options(), SystemClock())


@pytest.fixture
def services(made):
    opened = build(load_settings(made[0], {}))
    yield opened
    opened.close()


@pytest.fixture
def public(services):
    return AsgiClient(public_app(services))


@pytest.fixture
def local(services):
    return AsgiClient(local_app(services))


def test_everything_private_is_private(made):
    folder, shown = made
    modes = {
        path: stat.S_IMODE(path.stat().st_mode)
        for path in folder.rglob("*")
        if path.suffix in (".pem", ".key", ".toml")
    }
    assert len(modes) == 4
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(shown.seal_key_file.stat().st_mode) == 0o600
    assert len(shown.seal.emergency) == 3
    assert shown.root_passphrase not in repr(shown)


def test_settings_survive_writing(made):
    settings = load_settings(made[0], {})
    assert settings.organization.name == 'Example "Quotes" & Söhne GmbH'
    assert load_settings(made[0], {}) == settings
    assert "[keys]" in render_settings(settings)


def test_refuses_what_exists(made, tmp_path):
    with pytest.raises(ConflictError):
        initialize(made[0], options(), SystemClock())
    (tmp_path / "key").write_bytes(b"precious")
    with pytest.raises(ConflictError):
        initialize(tmp_path / "new", options(seal_key_file=tmp_path / "key"), SystemClock())
    assert (tmp_path / "key").read_bytes() == b"precious"
    with pytest.raises(ConfigurationError):
        initialize(tmp_path / "new", options(seal_key_file=tmp_path / "new" / "key"), SystemClock())
    assert not (tmp_path / "new").exists()


def test_statement_verifies_against_the_invitation(public, local, services):
    invitation = msgspec.convert(local.post("/local/invitations").json()["invitation"], Invitation)
    signed = msgspec.json.decode(public.get("/.well-known/sealwright").content, type=SignedStatement)
    now = services.clock.now()
    statement = verify_statement(signed, bytes.fromhex(invitation.statement_root_sha256), invitation.domain, now)
    assert statement.imap.host == "mail.example.test"
    assert statement.submission is None
    assert statement.file_sent_mail is True
    assert statement.endpoints == invitation.endpoints
    with pytest.raises(VerificationError):
        verify_statement(signed, bytes(32), invitation.domain, now)


def test_statement_is_issued_again_only_when_it_says_something_else(services, made):
    first = services.statements.current()
    assert services.statements.current() == first
    changed = build(load_settings(made[0], {"SEALWRIGHT_IMAP__PORT": "1143"}))
    try:
        second = changed.statements.current()
    finally:
        changed.close()
    before, after = msgspec.json.decode(first.payload), msgspec.json.decode(second.payload)
    assert after["sequence"] == before["sequence"] + 1
    assert services.statements.current().payload not in (first.payload, second.payload)


def test_tls_certificate_leads_to_the_anchor(services, made):
    chain = x509.load_pem_x509_certificates((made[0] / "tls" / "server.pem").read_bytes())
    root = x509.load_der_x509_certificate(services.statements.invitation().tls_anchors[0])
    names = chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name) for name in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    chain[0].verify_directly_issued_by(chain[1])
    chain[1].verify_directly_issued_by(root)


def test_people_get_keys_certificates_and_are_found(services, local, public):
    row = PersonRow(address="carol@example.test", given_name="Carol", surname="Example")
    answer = local.post("/local/people", content=msgspec.json.encode(PeopleImport(people=(row,))))
    assert answer.json() == {"created": 1, "existing": 0, "refused": []}
    run_outbox(services)
    (carol,) = [person for person in local.get("/local/people").json()["people"] if person["address"] == row.address]
    assert carol["generation"] == 1
    assert carol["certificate_not_after"] is not None
    search = public.post("/v1/directory/search", json={"addresses": ["Carol@example.test", "nobody@example.test"]})
    known, unknown = search.json()["entries"]
    assert len(known["certificates"]) == 1
    assert unknown["certificates"] == []
    # removal revokes and unpublishes
    request = msgspec.json.encode(AddressRequest(address=row.address))
    assert local.post("/local/people/remove", content=request).status_code == 204
    run_outbox(services)
    assert (
        public.post("/v1/directory/search", json={"addresses": [row.address]}).json()["entries"][0]["certificates"]
        == []
    )
    assert local.post("/local/people/remove", content=request).status_code == 404


def run_outbox(services):
    while services._worker.run_once():
        pass


def test_refused_rows_import_nothing(local):
    body = {"people": [{"address": "good@example.test"}, {"address": "stranger@elsewhere.test"}]}
    answer = local.post("/local/people", json=body).json()
    assert (answer["created"], [row["row"] for row in answer["refused"]]) == (0, [2])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/devices", 401),
        ("POST", "/v1/certificates", 401),
        ("GET", "/v1/log/chain", 401),
        ("POST", "/v1/releases", 401),
        ("GET", "/nowhere", 404),
        ("GET", "/local/people", 404),
        ("GET", "/metrics", 404),
        ("GET", "/v1/directory/certificates", 400),
        ("GET", "/v1/log/consistency?first=0&second=99999", 404),
        ("GET", "/log/xyz/checkpoint", 404),
    ],
)
def test_problems(public, method, path, status):
    answer = public.request(method, path, content=b"{}" if method == "POST" else None)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    if status == 401:
        assert answer.headers["dpop-nonce"]


def test_log_is_public(public, services):
    organization_id = services.organization_id
    services.audit.sequence(organization_id)
    note = public.get(f"/log/{organization_id}/checkpoint")
    size = int(note.text.splitlines()[1])
    tile = public.get(f"/log/{organization_id}/tile/0/000.p/{size}")
    assert len(tile.content) == 32 * size
    assert public.get(f"/log/{organization_id}/tile/0/000").status_code == 404
    assert public.get(f"/v1/log/consistency?first=1&second={size}").json()["proof"]


def test_health_schema_and_metrics(public, local):
    assert public.get("/healthz").text == "ok\n"
    assert public.get("/readyz").json() == {"state": "ready"}
    assert "/v1/enrolments" in public.get("/schema/openapi.json").json()["paths"]
    assert b"sealwright_requests_total" in local.get("/metrics").content
    assert local.get("/local/status").json()["state"] == "open"


def test_export_policy_changes(local, services):
    assert services.policies.mailbox_rules(services.organization_id, "a" * 32).export_key is False
    assert local.post("/local/policy", json={"export_key": True}).status_code == 200
    assert services.policies.mailbox_rules(services.organization_id, "a" * 32).export_key is True


def test_sign_in_link_works_once(local, services):
    token = local.post("/local/sign-in-links").json()["url"].partition("#")[2]
    raw = __import__("base64").urlsafe_b64decode(token + "=")
    with services.storage.transaction(None) as tx:
        store.use_sign_in_link(tx, raw, services.clock.now())
    with pytest.raises(ConflictError), services.storage.transaction(None) as tx:
        store.use_sign_in_link(tx, raw, services.clock.now())


def test_local_tls_certificate(local):
    key = ec.generate_private_key(ec.SECP256R1())
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding

    request = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    body = msgspec.json.encode({"names": ["mail.example.test"], "certification_request": request})
    chain = x509.load_pem_x509_certificates(
        local.post("/local/tls-certificates", content=body).json()["chain"].encode()
    )
    assert chain[0].public_key() == key.public_key()


def test_delegation_is_renewed_with_the_right_passphrase_only(made):
    folder, shown = made
    settings = load_settings(folder, {})
    pem = shown.statement_root_file.read_bytes()
    with pytest.raises(AuthenticationError):
        renew_delegation(settings, pem, "wrong", SystemClock())

    class Later:
        def now(self):
            return SystemClock().now() + timedelta(days=3)

    ends = renew_delegation(settings, pem, shown.root_passphrase, Later())
    opened = build(settings)
    try:
        assert opened.statements.delegation_ends() == ends
    finally:
        opened.close()


def test_the_database_is_its_owners_alone(made):
    for path in made[0].glob("sealwright.db*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_an_older_database_is_refused_until_it_is_upgraded(made):
    folder, _ = made
    set_revision(folder, "0001")
    settings = load_settings(folder, {})
    with pytest.raises(ConfigurationError, match="sealwright upgrade"):
        build(settings)
    storage = open_storage(settings.database_url)
    assert upgrade(storage) == upgrade(storage) == "0002"
    storage.close()
    build(settings).close()


def test_a_database_of_another_program_is_left_alone(made):
    folder, _ = made
    set_revision(folder, "9999")
    settings = load_settings(folder, {})
    with pytest.raises(ConfigurationError, match="newer program"):
        build(settings)
    storage = open_storage(settings.database_url)
    with pytest.raises(ConfigurationError, match="newer program"):
        upgrade(storage)
    storage.close()
    set_revision(folder, "0002")


def set_revision(folder, revision):
    with closing(sqlite3.connect(folder / "sealwright.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = ?", (revision,))


def test_restored_folder_is_quarantined_with_higher_numbers(made, tmp_path):
    folder, shown = made
    before = build(load_settings(folder, {}))
    sequence = msgspec.json.decode(before.statements.current().payload)["sequence"]
    before.close()
    back_up(folder, tmp_path / "backup.tar.gz")
    assert stat.S_IMODE((tmp_path / "backup.tar.gz").stat().st_mode) == 0o600
    with pytest.raises(ConflictError):
        back_up(folder, tmp_path / "backup.tar.gz")
    restored = tmp_path / "restored"
    restore(tmp_path / "backup.tar.gz", restored, SystemClock().now())
    assert not list(restored.rglob("statement-root.pem"))
    assert not list(restored.rglob("*.seal-key"))
    assert stat.S_IMODE((restored / "sealwright.db").stat().st_mode) == 0o600
    settings = load_settings(restored, {})
    with pytest.raises(SealedError, match="quarantine"):
        build(settings)
    lift_quarantine(restored)
    opened = build(settings)
    try:
        assert msgspec.json.decode(opened.statements.current().payload)["sequence"] > sequence + 500
        crl = x509.load_der_x509_crl(opened.authority.crl(opened.organization_id, "encryption"))
        assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number > 1000
    finally:
        opened.close()
    with pytest.raises(ConflictError):
        lift_quarantine(restored)
    assert shown.seal_key_file.exists()


def test_what_is_logged_while_a_backup_is_made_does_not_spoil_it(made, tmp_path, monkeypatch):
    folder, _ = made
    running = build(load_settings(folder, {}))
    organization_id, write = running.organization_id, tarfile.open

    def act():
        with running.storage.transaction(organization_id) as tx:
            running.audit.append(tx, Act(organization_id, "organization", "test.act", {}))
        assert running.audit.sequence(organization_id) > 0

    def act_and_write(**how):
        act()
        return write(**how)

    act()
    with monkeypatch.context() as patched:
        patched.setattr(tarfile, "open", act_and_write)  # the database is copied by then, the seal not yet
        back_up(folder, tmp_path / "backup.tar.gz")
    running.close()
    restore(tmp_path / "backup.tar.gz", tmp_path / "restored", SystemClock().now())
    lift_quarantine(tmp_path / "restored")
    opened = build(load_settings(tmp_path / "restored", {}))
    try:
        opened.audit.start()
        opened.audit.stop()
    finally:
        opened.close()


def test_migrations_make_exactly_the_tables_of_the_rooms(made):
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    storage = open_storage(f"sqlite:///{made[0] / 'sealwright.db'}")
    try:
        with storage.engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    finally:
        storage.close()


def test_names_fit_postgresql():
    names = [str(constraint.name) for table in metadata.tables.values() for constraint in table.constraints]
    names += [str(index.name) for table in metadata.tables.values() for index in table.indexes]
    assert [name for name in names if len(name) > 63] == []


def test_jobs_go_on_after_failures():
    def fail():
        raise SealedError("closed")

    def crash():
        raise RuntimeError("bug")

    runner = JobRunner(())
    assert runner.run_once(Job("a.b", 1, lambda: None)) is True
    assert runner.run_once(Job("a.b", 1, fail)) is False
    assert runner.run_once(Job("a.b", 1, crash)) is False

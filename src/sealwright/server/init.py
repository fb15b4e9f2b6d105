"""Make a data folder: seal, keys, log, certificates, database, settings. Nothing is overwritten."""

import ipaddress
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sealwright.ca.model import Organization as CaOrganization
from sealwright.clock import Clock
from sealwright.errors import ConfigurationError, ConflictError
from sealwright.files import create_private_file
from sealwright.identity.model import Organization
from sealwright.keystore.pool import open_keystore
from sealwright.keystore.seal_creation import CreatedSeal, SealPlan, create
from sealwright.keystore.seal_options import Hsm
from sealwright.pkix.names import canonical_address
from sealwright.server import store
from sealwright.server.report import REPORT_PURPOSE
from sealwright.server.schema import check_schema, upgrade
from sealwright.server.settings import (
    SETTINGS_FILE,
    KeysSection,
    MailSection,
    MailServerSection,
    OrganizationSection,
    SealSection,
    ServerSection,
    Settings,
    check_settings,
    render_settings,
)
from sealwright.server.statement import delegate, make_root, open_root
from sealwright.server.trunk import Trunk, log_key_purpose, log_origin
from sealwright.storage.engine import Storage, open_storage
from sealwright.storage.schema import new_id
from sealwright.wire.encoding import b64u_encode
from sealwright.wire.roles import ADMINISTRATOR, encode_roles

SERVICE_KEYS = ("release", "statement", "escrow", REPORT_PURPOSE)
SIGN_IN_VALIDITY = timedelta(hours=24)
ROOT_FILE = Path("offline") / "statement-root.pem"
FOLDERS = ("seal", "run", "tls", "offline", "node")


@dataclass(frozen=True, slots=True)
class InitOptions:
    """What `sealwright init` is told.

    Attributes:
        organization: Legal name.
        country: Two letters.
        organization_identifier: Or None.
        server: How the server is reached.
        domain: Mail domain.
        mail: Where the server submits.
        imap: Where clients read.
        submission: Where clients submit.
        keys: Encryption keys.
        seal_key_file: Or None for `<data folder>.seal-key`.
        seal: Kind of the seal, and its shares.
        hsm: Of a seal of kind "pkcs11"; empty without.
        pin_file: That holds the HSM's PIN, or empty.
    """

    organization: str
    country: str | None
    organization_identifier: str | None
    server: ServerSection
    domain: str
    mail: MailSection
    imap: MailServerSection
    submission: MailServerSection
    keys: KeysSection
    seal_key_file: Path | None
    seal: SealPlan
    hsm: Hsm
    pin_file: str

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> "InitOptions":
        """Make it from the command line's options, by their names."""
        domain = canonical_address(f"postmaster@{options['domain']}").partition("@")[2]
        status_url = options["status_url"].rstrip("/")
        parts = urlsplit(status_url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return cls(
            organization=options["organization"],
            country=options["country"] or None,
            organization_identifier=options["organization_identifier"],
            server=ServerSection(
                endpoints=tuple(url.rstrip("/") for url in options["endpoints"]),
                listen=options["listen"],
                status_url=status_url,
                status_listen=options["status_listen"] or f"{host}:{parts.port or 80}",
            ),
            domain=domain,
            mail=MailSection(
                host=options["mail_host"],
                port=options["mail_port"],
                sender=options["mail_from"] or f"sealwright@{domain}",
                security=options["mail_security"],
            ),
            imap=_mail_server(options, "imap"),
            submission=_mail_server(options, "submission"),
            keys=KeysSection(algorithm=options["key_algorithm"], kem=options["kem"], pool_size=options["pool_size"]),
            seal_key_file=options["seal_key_file"],
            seal=SealPlan(
                kind=options["seal"],
                shares=options["operator_shares"] if options["seal"] == "shamir" else 0,
                threshold=options["operator_threshold"] if options["seal"] == "shamir" else 0,
                emergency_shares=options["shares"],
                emergency_threshold=options["threshold"],
            ),
            hsm=Hsm(options["pkcs11_module"], options["pkcs11_token"]),
            pin_file=str(options["pkcs11_pin_file"] or ""),
        )


@dataclass(frozen=True, slots=True)
class Initialized:
    """What is shown once.

    Attributes:
        seal: Shares for people.
        root_passphrase: Of the offline statement root.
        statement_root_file: Where the root lies.
        seal_key_file: Where the root wrapping key lies.
        sign_in_url: One-time link.
        sign_in_expires: Aware UTC.
    """

    seal: CreatedSeal
    root_passphrase: str = field(repr=False)
    statement_root_file: Path
    seal_key_file: Path
    sign_in_url: str = field(repr=False)
    sign_in_expires: datetime


def initialize(data_folder: Path, options: InitOptions, clock: Clock) -> Initialized:
    """Make a data folder.

    Raises:
        ConflictError: If the folder is not empty, or the seal key file exists.
        ConfigurationError: If an option is wrong.
    """
    # 1 Settings, checked before anything is written.
    data_folder = data_folder.resolve()
    settings = _settings(data_folder, options)
    check_settings(settings)
    key_file = Path(settings.seal.key_file)
    if data_folder.exists() and any(data_folder.iterdir()):
        raise ConflictError(_not_empty(data_folder, key_file))
    if key_file.exists():
        raise ConflictError(f"{key_file} exists; a root wrapping key is never overwritten")
    if key_file.is_relative_to(data_folder):
        raise ConfigurationError("the root wrapping key lies outside the data folder, so that backups leave it out")
    # 2 Folders and seal.
    for folder in (data_folder, *(data_folder / name for name in FOLDERS)):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    created = create(settings.seal_options, options.seal)
    # 3 Database, service keys, log, CA, statement root.
    passphrase = make_passphrase()
    keystore = open_keystore(settings.seal_options, 1, created.operator[: options.seal.threshold])
    if settings.database_url.startswith("sqlite:///"):
        Path(settings.database_url.removeprefix("sqlite:///")).touch(mode=0o600)  # SQLite's other files follow it
    storage = open_storage(settings.database_url)
    try:
        upgrade(storage)
        trunk = Trunk(settings, storage, keystore, clock)
        root_pem = _create_organization(trunk, options, passphrase)
        # 4 The server's own TLS certificate.
        names = list(dict.fromkeys(_host_names(options.server.endpoints)))
        tls_key = ec.generate_private_key(ec.SECP256R1())
        chain = trunk.authority.issue_tls(settings.organization.organization_id, names, tls_key.public_key())
        url, expires = make_sign_in_link(storage, settings, clock)
    finally:
        keystore.close()
        storage.close()
    create_private_file(data_folder / ROOT_FILE, root_pem)
    create_private_file(settings.tls_key, tls_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    create_private_file(settings.tls_certificate, chain.encode("ascii"))
    # 5 The settings file comes last: a folder without one was not finished.
    create_private_file(data_folder / SETTINGS_FILE, render_settings(settings).encode("utf-8"))
    return Initialized(created, passphrase, data_folder / ROOT_FILE, key_file, url, expires)


def _not_empty(data_folder: Path, key_file: Path) -> str:
    if (data_folder / SETTINGS_FILE).exists() or not (data_folder / FOLDERS[0]).is_dir():
        return f"{data_folder} is not empty"
    return f"{data_folder} is of an init that did not finish: remove it, and {key_file} if it is there, and start again"


def make_passphrase() -> str:
    """Return 120 random bits in groups that can be copied by hand."""
    alphabet = "abcdefghijkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(6)) for _ in range(4))


def make_sign_in_link(
    storage: Storage, settings: Settings, clock: Clock, role: str = ADMINISTRATOR
) -> tuple[str, datetime]:
    """Make a one-time link to the console for somebody who gets a role there.

    Returns:
        The link, and when it ends.

    Raises:
        InputError: If there is no such role.
    """
    encode_roles((role,))
    token = secrets.token_bytes(32)
    expires = clock.now() + SIGN_IN_VALIDITY
    organization_id = settings.organization.organization_id
    with storage.transaction(organization_id) as tx:
        store.add_sign_in_link(tx, organization_id, token, expires, role)
    # the token stands behind '#', so that it reaches no server's log
    return f"{settings.server.endpoints[0]}/console/sign-in#{b64u_encode(token)}", expires


def renew_delegation(settings: Settings, root_pem: bytes, passphrase: str, clock: Clock) -> datetime:
    """Delegate the online statement key for another 90 days.

    Raises:
        AuthenticationError: If the passphrase is wrong.
        ConflictError: If it was delegated in this very second.
    """
    root = open_root(root_pem, passphrase)
    organization = settings.organization
    storage = open_storage(settings.database_url)
    try:
        check_schema(storage)
        with storage.transaction(organization.organization_id) as tx:
            key = store.load_service_key(tx, organization.organization_id, "statement")
            return delegate(tx, organization.organization_id, organization.domain, root, key, clock.now())
    finally:
        storage.close()


def _create_organization(trunk: Trunk, options: InitOptions, passphrase: str) -> bytes:
    organization = trunk.settings.organization
    organization_id, now = organization.organization_id, trunk.clock.now()
    log_purpose = log_key_purpose(trunk.settings)
    keys = {
        purpose: trunk.keystore.generate_service_key(organization_id, purpose, "ed25519")
        for purpose in (*SERVICE_KEYS, log_purpose)
    }
    root_pem, root = make_root(passphrase)
    with trunk.storage.transaction(organization_id) as tx:
        added = Organization(organization_id, organization.name, organization.domain)
        trunk.people_store.add_organization(tx, added, now)
        for key in keys.values():
            store.add_service_key(tx, key)
        trunk.audit.create_log(tx, organization_id, log_origin(trunk.settings), keys[log_purpose])
        trunk.policies.create(tx, organization_id)
        trunk.authority.create(
            tx,
            CaOrganization(
                organization_id,
                organization.name,
                options.country,
                options.organization_identifier,
                keys["escrow"].spki[-32:],
            ),
        )
        delegate(tx, organization_id, organization.domain, root, keys["statement"], now)
    return root_pem


def _settings(data_folder: Path, options: InitOptions) -> Settings:
    key_file = options.seal_key_file or data_folder.with_name(data_folder.name + ".seal-key")
    return Settings(
        server=options.server,
        organization=OrganizationSection(organization_id=new_id(), name=options.organization, domain=options.domain),
        seal=SealSection(
            key_file=str(key_file.resolve()),
            pkcs11_module=options.hsm.module,
            pkcs11_token=options.hsm.token,
            pkcs11_pin_file=options.pin_file,
        ),
        mail=options.mail,
        imap=options.imap,
        submission=options.submission,
        keys=options.keys,
        data_folder=data_folder,
    )


def _mail_server(options: Mapping[str, Any], name: str) -> MailServerSection:
    if not options[f"{name}_host"]:
        return MailServerSection()
    return MailServerSection(
        host=options[f"{name}_host"], port=options[f"{name}_port"], security=options[f"{name}_security"]
    )


def _host_names(endpoints: tuple[str, ...]) -> list[str]:
    names = []
    for endpoint in endpoints:
        host = urlsplit(endpoint).hostname
        if not host:
            raise ConfigurationError(f"{endpoint} names no host")
        names.append(host)
        try:
            if ipaddress.ip_address(host).is_loopback:
                names.append("localhost")
        except ValueError:
            continue
    return names

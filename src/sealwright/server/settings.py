"""The server's settings: a TOML file in the data folder, and the environment over it.

`SEALWRIGHT_SECTION__KEY` replaces `key` of `[section]`; lists are written with commas. Unknown sections and keys are
refused, in the file and in the environment. Passwords belong into the environment or into files of their own.
"""

import json
import os
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from sealwright.audit.witnessing import MAX_WITNESSES, KnownWitness
from sealwright.errors import ConfigurationError, DecodingError
from sealwright.keystore.seal_options import Hsm, SealOptions
from sealwright.kms.model import CLASSICAL_ALGORITHMS, KEM_ALGORITHMS, KmsSettings
from sealwright.tlog.note import COSIGNATURE, decode_verifier_key
from sealwright.wire.statement import MailServer

SETTINGS_FILE = "sealwright.toml"
ENVIRONMENT_PREFIX = "SEALWRIGHT_"
MAX_ACTIVE_MONTHS = 120
"""No intermediate of ours lives longer, so no certificate of such a key could."""
MAX_DRILL_DAYS = 366


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of sections."""


class ServerSection(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the server is reached.

    Attributes:
        endpoints: Base URLs for devices, https, without a slash at the end.
        listen: "host:port" of the https service.
        status_url: Base URL of certificates' status, plain http, without a slash at the end.
        status_listen: "host:port" of the status service.
    """

    endpoints: tuple[str, ...]
    listen: str
    status_url: str
    status_listen: str


class OrganizationSection(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The organization of this server; made at `init`."""

    organization_id: str
    name: str
    domain: str


class SealSection(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keystore.

    Attributes:
        key_file: Root wrapping key of a seal of kind "key-file"; on a path that backups of the data folder leave out.
        workers: Keystore processes.
        pkcs11_module: Library of the HSM's vendor, for a seal of kind "pkcs11".
        pkcs11_token: Label of the HSM's token.
        pkcs11_pin_file: File that holds its PIN, mode 0600; empty if people enter it at each start.
    """

    key_file: str
    workers: int = 2
    pkcs11_module: str = ""
    pkcs11_token: str = ""
    pkcs11_pin_file: str = ""


class DatabaseSection(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The database; empty means SQLite in the data folder."""

    url: str = ""


class MailSection(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the server hands over its own mails.

    Attributes:
        host: SMTP server.
        port: TCP port.
        sender: Address of the sender, the challenge mails come from it.
        security: "tls", "starttls", or "none" on loopback only.
        user: Or empty for no login.
        password_file: File that holds the password, or empty.
    """

    host: str = "127.0.0.1"
    port: int = 25
    sender: str = ""
    security: str = "none"
    user: str = ""
    password_file: str = ""


class MailServerSection(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mail server that clients use; an empty host means none."""

    host: str = ""
    port: int = 0
    security: str = "tls"
    authentication: tuple[str, ...] = ("password",)

    def for_statement(self) -> MailServer | None:
        """Return it as the domain statement says it, or None."""
        if not self.host:
            return None
        return MailServer(host=self.host, port=self.port, security=self.security, authentication=self.authentication)


class DevicesSection(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What people's devices do; it stands in the domain statement.

    Attributes:
        file_sent_mail: Put a copy of what is sent into the sender's folder for sent mail, if the sender says nothing else.
    """

    file_sent_mail: bool = True


class KeysSection(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Encryption keys.

    Attributes:
        algorithm: "rsa-3072", "rsa-4096", "rsa-2048", "p256" or "p384".
        kem: Of the second key of a pair, "ml-kem-768" or "ml-kem-1024"; empty for no pairs.
        pool_size: Keys made in advance, of each algorithm.
        active_months: How long a generation protects new mail before the next takes its place.
        drill_days: Within this time every archived key is opened and matched to its certificate once.
    """

    algorithm: str = "rsa-3072"
    kem: str = ""
    pool_size: int = 8
    active_months: int = 36
    drill_days: int = 30

    def for_kms(self) -> KmsSettings:
        """Return it as key management wants it; a month has 30.44 days, a twelfth of a year."""
        return KmsSettings(
            algorithm=self.algorithm,
            kem=self.kem,
            pool_size=self.pool_size,
            active_for=timedelta(days=round(self.active_months * 365.25 / 12)),
            drill_every=timedelta(days=self.drill_days),
        )


class WitnessesSection(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who else watches the log; devices ask for their cosignatures, so it stands in the domain statement.

    Attributes:
        keys: Verifier keys of C2SP cosignatures, as `sealwright log witness` prints them.
        urls: Their submission prefixes, in the order of the keys, without a slash at the end.
        quorum: How many of them have to cosign.
    """

    keys: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    quorum: int = 1

    def known(self) -> tuple[KnownWitness, ...]:
        """Return the witnesses.

        Raises:
            ConfigurationError: With the key that must change.
        """
        try:
            keys = [decode_verifier_key(key) for key in self.keys]
        except DecodingError as error:
            raise ConfigurationError("[witnesses] keys: as 'sealwright log witness' prints them") from error
        if len(keys) != len({key.public_key for key in keys}) or any(key.kind != COSIGNATURE for key in keys):
            raise ConfigurationError("[witnesses] keys: different ones, of cosignatures (type 4)")
        if len(keys) > MAX_WITNESSES or len(self.urls) != len(keys):
            raise ConfigurationError(f"[witnesses] urls: one for each key; at most {MAX_WITNESSES}")
        if any(not url.startswith(("https://", "http://")) or url.endswith("/") for url in self.urls):
            raise ConfigurationError("[witnesses] urls: URLs without a slash at the end")
        if keys and not 1 <= self.quorum <= len(keys):
            raise ConfigurationError("[witnesses] quorum: 1 up to the number of witnesses")
        return tuple(KnownWitness(url, key) for url, key in zip(self.urls, keys, strict=True))


class LogSection(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The server's own event log on standard error.

    Attributes:
        level: "debug", "info", "warning" or "error".
        json: One JSON object a line instead of text.
    """

    level: str = "info"
    json: bool = False


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings; `data_folder` is where the file lies and is not in it."""

    server: ServerSection
    organization: OrganizationSection
    seal: SealSection
    database: DatabaseSection = DatabaseSection()
    mail: MailSection = MailSection()
    imap: MailServerSection = MailServerSection()
    submission: MailServerSection = MailServerSection()
    devices: DevicesSection = DevicesSection()
    keys: KeysSection = KeysSection()
    witnesses: WitnessesSection = WitnessesSection()
    log: LogSection = LogSection()
    data_folder: Path = field(default=Path(), name="-data-folder")

    @property
    def database_url(self) -> str:
        """Where the database is."""
        return self.database.url or f"sqlite:///{self.data_folder / 'sealwright.db'}"

    @property
    def seal_file(self) -> Path:
        """The seal's file."""
        return self.data_folder / "seal" / "seal.json"

    @property
    def seal_options(self) -> SealOptions:
        """Where the seal and its root wrapping key are."""
        seal = self.seal
        hsm = Hsm(seal.pkcs11_module, seal.pkcs11_token) if seal.pkcs11_module else None
        return SealOptions(str(self.seal_file), str(Path(seal.key_file).absolute()), hsm, seal.pkcs11_pin_file)

    @property
    def operator_socket(self) -> Path:
        """The operator's Unix socket."""
        return self.data_folder / "run" / "operator.sock"

    @property
    def tls_certificate(self) -> Path:
        """Certificate chain of the https service, PEM."""
        return self.data_folder / "tls" / "server.pem"

    @property
    def tls_key(self) -> Path:
        """Private key of the https service, PEM, 0600."""
        return self.data_folder / "tls" / "server.key"


def load_settings(data_folder: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings of a data folder and check them.

    Raises:
        ConfigurationError: If the file is missing, or anything in file or environment is unknown or wrong.
    """
    data_folder = data_folder.resolve()
    path = data_folder / SETTINGS_FILE
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path} is missing: make the data folder with 'sealwright init'") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    document.pop("-data-folder", None)
    _apply_environment(document, os.environ if environment is None else environment)
    document["-data-folder"] = data_folder
    try:
        settings = msgspec.convert(document, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    check_settings(settings)
    return settings


def check_settings(settings: Settings) -> None:
    """Check what the types cannot say.

    Raises:
        ConfigurationError: With the section and key that must change.
    """
    server = settings.server
    if not server.endpoints or any(not url.startswith("https://") or url.endswith("/") for url in server.endpoints):
        raise ConfigurationError("[server] endpoints: https URLs without a slash at the end")
    if not server.status_url.startswith("http://") or server.status_url.endswith("/"):
        raise ConfigurationError("[server] status_url: an http URL without a slash at the end")
    for key, text in (("listen", server.listen), ("status_listen", server.status_listen)):
        split_listen(text, f"[server] {key}")
    if settings.mail.security not in ("tls", "starttls", "none"):
        raise ConfigurationError("[mail] security: 'tls', 'starttls' or 'none'")
    if settings.mail.security == "none" and settings.mail.host not in ("127.0.0.1", "::1", "localhost"):
        raise ConfigurationError("[mail] security: 'none' is permitted on loopback only")
    for name, section in (("imap", settings.imap), ("submission", settings.submission)):
        if section.host and section.security not in ("tls", "starttls"):
            raise ConfigurationError(f"[{name}] security: 'tls' or 'starttls'")
    check_keys(settings.keys)
    if settings.keys.pool_size < 0 or settings.seal.workers < 1:
        raise ConfigurationError("[keys] pool_size is at least 0 and [seal] workers at least 1")
    settings.witnesses.known()
    if bool(settings.seal.pkcs11_module) != bool(settings.seal.pkcs11_token):
        raise ConfigurationError("[seal] pkcs11_module and pkcs11_token: both or none")
    if settings.log.level not in ("debug", "info", "warning", "error"):
        raise ConfigurationError("[log] level: 'debug', 'info', 'warning' or 'error'")


def check_keys(keys: KeysSection) -> None:
    """Check the section of encryption keys.

    Raises:
        ConfigurationError: With the key that must change.
    """
    if keys.algorithm not in CLASSICAL_ALGORITHMS:
        raise ConfigurationError(f"[keys] algorithm: one of {', '.join(CLASSICAL_ALGORITHMS)}")
    if keys.kem not in ("", *KEM_ALGORITHMS):
        raise ConfigurationError(f"[keys] kem: empty or one of {', '.join(KEM_ALGORITHMS)}")
    if not 1 <= keys.active_months <= MAX_ACTIVE_MONTHS:
        raise ConfigurationError(f"[keys] active_months: 1 to {MAX_ACTIVE_MONTHS}")
    if not 1 <= keys.drill_days <= MAX_DRILL_DAYS:
        raise ConfigurationError(f"[keys] drill_days: 1 to {MAX_DRILL_DAYS}")


def split_listen(text: str, name: str) -> tuple[str, int]:
    """Split "host:port"; an IPv6 address stands in brackets.

    Raises:
        ConfigurationError: If it is something else.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigurationError(f"{name}: an address and a port such as 127.0.0.1:8443")
    return host.strip("[]"), int(port)


def render_settings(settings: Settings) -> str:
    """Return the settings file's text, with every key, so that an administrator sees what there is."""
    lines = ["# Settings of a Sealwright server. SEALWRIGHT_SECTION__KEY in the environment replaces a key.", ""]
    for name in settings.__struct_fields__:
        section = getattr(settings, name)
        if not isinstance(section, Section):
            continue
        lines.append(f"[{name}]")
        lines += [f"{key} = {_toml(getattr(section, key))}" for key in section.__struct_fields__]
        lines.append("")
    return "\n".join(lines)


def _toml(value: object) -> str:
    # a JSON string, number, boolean or list of strings is one in TOML too
    return json.dumps(list(value) if isinstance(value, tuple) else value).replace("\x7f", "\\u007f")


def _apply_environment(document: dict[str, Any], environment: Mapping[str, str]) -> None:
    kinds = msgspec.structs.fields(Settings)
    sections = {field_.name: field_.type for field_ in kinds if field_.name != "data_folder"}
    for name, value in sorted(environment.items()):
        section_name, separator, key = name.removeprefix(ENVIRONMENT_PREFIX).lower().partition("__")
        if not name.startswith(ENVIRONMENT_PREFIX) or not separator:
            continue
        if section_name not in sections or key not in sections[section_name].__struct_fields__:
            raise ConfigurationError(f"{name}: there is no such setting")
        default = {known.name: known.type for known in msgspec.structs.fields(sections[section_name])}[key]
        is_list = default == tuple[str, ...]
        section = document.setdefault(section_name, {})
        section[key] = [part.strip() for part in value.split(",") if part.strip()] if is_list else value

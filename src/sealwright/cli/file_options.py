"""Options that give keys, trust and recipients as files, for commands that work without a server and without a set-up device."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from cryptography import x509

from sealwright.cli.client_options import EXISTING_FILE
from sealwright.client import key_files
from sealwright.clock import SystemClock
from sealwright.cms.decryptors import FindKeys
from sealwright.cms.signers import PrivateKeySigner
from sealwright.errors import InputError
from sealwright.smime.trust import Trust

FIRST_YEAR, LAST_YEAR = 1950, 9998
"""Certificates know no time before 1950 (RFC 5280 section 4.1.2.5), and after the last year tolerances cannot be added."""
F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

_MANY: dict[str, Any] = {"type": EXISTING_FILE, "multiple": True}
_OPTIONS: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "keys": (
        ("--p12", {**_MANY, "help": "PKCS #12 file with a private key."}),
        (
            "--password-file",
            {**_MANY, "help": "First line is a password; each is tried on each key file, and on the message."},
        ),
        ("--key", {**_MANY, "help": "Private key, PEM or DER."}),
        ("--cert", {**_MANY, "help": "Certificate of a private key."}),
    ),
    "trust": (
        ("--trust-anchor", {**_MANY, "help": "Root certificates to trust, PEM or DER."}),
        ("--certificate", {**_MANY, "help": "More certificates to build paths with; they are not trusted."}),
        ("--crl", {**_MANY, "help": "Revocation lists, PEM or DER."}),
        ("--at", {"help": "Judge as of this time (ISO 8601) instead of now."}),
        ("--allow-weak", {"is_flag": True, "help": "Admit SHA-1 signatures and RSA keys of 1024 bits."}),
    ),
    "recipients": (
        (
            "--recipient-certificate",
            {**_MANY, "help": "Encrypt to this certificate, which is trusted as it is; again for more."},
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class FileOptions:
    """What the options say.

    Attributes:
        p12: PKCS #12 files.
        password_file: Passwords of key files.
        key: Private keys.
        cert: Their certificates.
        trust_anchor: Roots.
        certificate: Intermediates.
        crl: Revocation lists.
        at: The time in question.
        allow_weak: Admit weak signatures.
        recipient_certificate: Whom to encrypt to.
    """

    p12: tuple[Path, ...] = ()
    password_file: tuple[Path, ...] = ()
    key: tuple[Path, ...] = ()
    cert: tuple[Path, ...] = ()
    trust_anchor: tuple[Path, ...] = ()
    certificate: tuple[Path, ...] = ()
    crl: tuple[Path, ...] = ()
    at: str | None = None
    allow_weak: bool = False
    recipient_certificate: tuple[Path, ...] = ()

    @property
    def has_keys(self) -> bool:
        """Private keys from files take the place of the device's."""
        return bool(self.p12 or self.key or self.password_file)

    def keys(self) -> tuple[key_files.KeyFile, ...]:
        """Load the private keys.

        Raises:
            InputError: If one cannot be opened, or has no certificate.
        """
        passwords = self._passwords()
        bundles = [
            each
            for path in self.p12
            for each in load_file(path, lambda content: key_files.load_pkcs12_file(content, passwords))
        ]
        private_keys = [
            load_file(path, lambda content: key_files.load_private_key_file(content, passwords)) for path in self.key
        ]
        certificates = list(_certificates((*self.cert, *self.certificate)))
        return (*bundles, *key_files.pair(private_keys, certificates))

    def find_keys(self) -> FindKeys:
        """Load what opens messages: the private keys, and the passwords for what was encrypted with one.

        Raises:
            InputError: If a private key cannot be opened, or has no certificate.
        """
        return key_files.keys_in(self.keys(), self._passwords())

    def signers(self) -> tuple[PrivateKeySigner, ...]:
        """Load those private keys as signers whose certificates let them sign.

        Raises:
            InputError: If there is none.
        """
        found = [each for each in self.keys() if _permits(each.certificate, "digital_signature", "content_commitment")]
        if not found:
            raise InputError("no key that was given is made to sign; give the key of a signing certificate")
        return tuple(each.signer() for each in found)

    def trust(self) -> Trust:
        """Load what is trusted; without anchors nothing is."""
        return Trust(
            now=self.moment(),
            anchors=tuple(_certificates(self.trust_anchor)),
            certificates=tuple(_certificates((*self.certificate, *self.cert))),
            crls=tuple(crl for path in self.crl for crl in load_file(path, key_files.load_crl_file)),
            allow_weak=self.allow_weak,
        )

    def recipients(self) -> tuple[x509.Certificate, ...]:
        """Load whom to encrypt to: the first certificate of each file.

        Raises:
            InputError: If its key is not made for that; the holder may have destroyed it, or have another one to open with.
        """
        found = tuple(load_file(path, key_files.load_certificate_file)[0] for path in self.recipient_certificate)
        for path, certificate in zip(self.recipient_certificate, found, strict=True):
            if not _permits(certificate, "key_encipherment", "key_agreement"):
                raise InputError(f"{path}: the certificate's key is not made to encrypt to; ask for the one that is")
        return found

    def moment(self) -> datetime:
        """Return the time in question, aware UTC.

        Raises:
            InputError: If it is not a time.
        """
        if self.at is None:
            return SystemClock().now()
        try:
            moment = datetime.fromisoformat(self.at)
        except ValueError as error:
            raise InputError("--at is not a time; write it as 2026-01-31T12:00:00Z") from error
        if not FIRST_YEAR <= moment.year <= LAST_YEAR:
            raise InputError(f"--at is not between the years {FIRST_YEAR} and {LAST_YEAR}")
        return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)

    def _passwords(self) -> list[bytes]:
        return [key_files.read_password(path) for path in self.password_file]


def file_options(*kinds: str) -> Callable[[F], F]:
    """Add options of the kinds "keys", "trust" and "recipients"; they arrive as `files`, a `FileOptions`."""

    def add(command: F) -> F:
        options = [option for kind in kinds for option in _OPTIONS[kind]]
        names = {field.name for field in fields(FileOptions)}

        @functools.wraps(command)
        def wrapped(*arguments: Any, **rest: Any) -> Any:
            given = {name: rest.pop(name) for name in list(rest) if name in names}
            return command(*arguments, files=FileOptions(**given), **rest)

        decorated: Any = wrapped
        for name, settings in reversed(options):
            decorated = click.option(name, **settings)(decorated)
        return decorated  # type: ignore[no-any-return]

    return add


def _permits(certificate: x509.Certificate, *usages: str) -> bool:
    """Say whether a certificate's key has one of these usages; one that says nothing may (RFC 8550 section 4.4.2)."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return True
    except (x509.DuplicateExtension, ValueError):
        return False
    return any(getattr(usage, each) for each in usages)


def _certificates(paths: tuple[Path, ...]) -> Iterator[x509.Certificate]:
    for path in paths:
        yield from load_file(path, key_files.load_certificate_file)


def load_file(path: Path, load: Callable[[bytes], T]) -> T:
    """Load a file, and name it where it cannot be loaded.

    Raises:
        InputError: As `load` does.
    """
    content = key_files.read_file(path)
    try:
        return load(content)
    except InputError as error:
        raise type(error)(f"{path}: {error.message}") from error

"""`sealwright certificate`."""

from pathlib import Path

import click
from cryptography import x509

from sealwright.cli.client_options import EXISTING_FILE, ClientOptions, client_options
from sealwright.cli.file_options import FileOptions, file_options
from sealwright.cli.output import one_line, print_json
from sealwright.client.inspection import certificate_document
from sealwright.client.key_files import load_certificate_file, read_file
from sealwright.client.keys import load_certificates, load_signer
from sealwright.client.path_document import path_document, refusal_document
from sealwright.clock import SystemClock
from sealwright.errors import InputError, PathValidationError
from sealwright.pkix.end_entity import Purpose
from sealwright.pkix.levels import identity_level
from sealwright.pkix.ocsp import MAX_RESPONSE_OCTETS
from sealwright.pkix.path import validate_path
from sealwright.pkix.policies import PolicySettings

PURPOSES = ("sign", "encrypt", "timestamp", "ocsp", "any")


@click.group("certificate")
def certificate() -> None:
    """Certificates."""


@certificate.command("show")
@click.argument("file", type=EXISTING_FILE, required=False)
@client_options
def show(options: ClientOptions, file: Path | None) -> None:
    """Show the certificates in FILE (PEM, DER or PKCS #7), or this device's own."""
    if file is not None:
        found = [("file", one) for one in load_certificate_file(read_file(file))]
    else:
        with options.open() as context:
            state = context.store.state
            newest = [load_certificates(key.certificates)[0] for key in state.mailbox_keys if key.certificates]
            found = [("encryption", one) for one in newest] + [("signing", load_signer(state.signing_key).certificate)]
    rows = [{"use": use, **_describe(one)} for use, one in found]
    if options.as_json:
        print_json(rows)
        return
    for row in rows:
        for name, value in row.items():
            click.echo(f"{name.replace('_', ' '):16} {one_line(str(value))}")
        click.echo()


def _describe(one: x509.Certificate) -> dict[str, str]:
    document = certificate_document(one)
    return {**document, "addresses": ", ".join(document["addresses"]), "identity_level": identity_level(one)}


@certificate.command("verify")
@click.argument("leaf", type=EXISTING_FILE)
@file_options("trust")
@click.option("--ocsp", type=EXISTING_FILE, multiple=True, help="OCSP response, DER.")
@click.option("--purpose", type=click.Choice(PURPOSES), default="sign", help="What the certificate is to be used for.")
@click.option(
    "--policy", multiple=True, help="Require a certificate policy (dotted OID); again for others that will do."
)
@click.option("--require-status", is_flag=True, help="Refuse where nobody says whether a certificate is revoked.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def verify(
    leaf: Path,
    files: FileOptions,
    ocsp: tuple[Path, ...],
    purpose: Purpose,
    policy: tuple[str, ...],
    *,
    require_status: bool,
    as_json: bool,
) -> None:
    """Validate the path of the first certificate in LEAF to a trust anchor, without a server or a device.

    Nothing is fetched: intermediates, lists and responses are what is given. Exit code 3 if no path is valid.
    """
    certificate, *brought = load_certificate_file(read_file(leaf))
    trust, now = files.trust(), SystemClock().now()
    if not trust.anchors:
        raise InputError("give --trust-anchor: without a trusted root no path is valid")
    try:
        path = validate_path(
            certificate,
            [*trust.certificates, *brought],
            trust.anchors,
            now=max(now, trust.now),
            at=trust.now,
            purpose=purpose,
            crls=trust.crls,
            ocsp_responses=[read_file(file, MAX_RESPONSE_OCTETS) for file in ocsp],
            policies=_policies(policy),
            require_status=require_status,
            allow_weak=files.allow_weak,
        )
    except PathValidationError as error:
        if as_json:
            print_json(refusal_document(error, purpose, trust.now))
        raise PathValidationError(f"{error.message} [{error.code}]", error.code) from error
    document = path_document(path, purpose, trust.now)
    if as_json:
        print_json(document)
        return
    for depth, row in enumerate(document["path"]):
        revoked = f" at {row['revocation_time']} ({row['revocation_reason']})" if row["revocation_time"] else ""
        click.echo(f"{depth} {one_line(row['subject'])}")
        click.echo(f"  serial number {row['serial_number']}, until {row['not_after']}, status {row['status']}{revoked}")
    click.echo(f"valid for: {purpose}")
    if document["valid_policies"]:
        click.echo(f"policies: {', '.join(document['valid_policies'])}")
    for warning in path.warnings:
        click.echo(f"warning: {warning}")


def _policies(wanted: tuple[str, ...]) -> PolicySettings | None:
    try:
        policies = frozenset(x509.ObjectIdentifier(policy).dotted_string for policy in wanted)
    except ValueError as error:
        raise InputError("--policy is not a dotted object identifier, such as 2.23.140.1.5.1.3") from error
    return PolicySettings(policies, require_explicit_policy=True) if policies else None

"""Commands for the operator of a running server; they speak to its Unix socket."""

import csv
import os
from pathlib import Path

import click
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from rich.console import Console
from rich.table import Column, Table

from sealwright.cli.bulk_import import bulk_import
from sealwright.cli.enrolment_letter import enrolment_secret
from sealwright.cli.operator_options import DATA, JSON, ask
from sealwright.cli.output import print_json
from sealwright.errors import ConflictError, InputError
from sealwright.wire.operator import (
    AddressRequest,
    InvitationAnswer,
    PeopleImport,
    PeopleImported,
    PeopleList,
    PersonRow,
    ServerStatus,
    SignInLink,
    SignInLinkRequest,
    TlsCertificate,
    TlsCertificateRequest,
)
from sealwright.wire.roles import ADMINISTRATOR, ROLES


@click.group("people")
def people() -> None:
    """The people whose mail is protected."""


people.add_command(bulk_import)
people.add_command(enrolment_secret)


@people.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@DATA
@JSON
def import_people(file: Path, data: Path, as_json: bool) -> None:
    """Import the staff list FILE: CSV with the columns address, given_name, surname, display_name."""
    answer = ask(data, "POST", "/local/people", PeopleImport(people=read_staff_list(file)), PeopleImported)
    if as_json:
        print_json(answer)
    for row in answer.refused:
        click.echo(f"row {row.row}: {row.address}: {row.reason}", err=True)
    if answer.refused:
        raise InputError(f"nothing was imported: {len(answer.refused)} rows of {file} cannot be used")
    if not as_json:
        click.echo(f"{answer.created} imported, {answer.existing} there already. Their keys are being made.")


def read_staff_list(file: Path) -> tuple[PersonRow, ...]:
    """Read a staff list.

    Raises:
        InputError: If it is not UTF-8, has no address column, or has a column that is not known.
    """
    known = set(PersonRow.__struct_fields__)
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            sample = stream.readline()
            stream.seek(0)
            reader = csv.DictReader(stream, delimiter=";" if ";" in sample else ",")
            columns = [(name or "").strip().lower() for name in reader.fieldnames or ()]
            if "address" not in columns or not set(columns) <= known:
                raise InputError(
                    f"{file}: the first row names the columns {', '.join(sorted(known))}; address is required"
                )
            reader.fieldnames = columns
            rows = []
            for row in reader:
                if None in row or None in row.values():
                    raise InputError(f"{file}: line {reader.line_num} has not as many fields as the first")
                rows.append(PersonRow(**{name: value.strip() for name, value in row.items()}))
            return tuple(rows)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file} is not a CSV file in UTF-8: {error}") from error


@people.command("list")
@DATA
@JSON
def list_people(data: Path, as_json: bool) -> None:
    """List everybody with key, certificate and devices."""
    answer = ask(data, "GET", "/local/people", None, PeopleList)
    if as_json:
        print_json(answer)
        return
    table = Table(Column("Address", overflow="fold"), "Name", "State", "Key", "Certificate until", "Devices")
    for person in answer.people:
        until = f"{person.certificate_not_after:%Y-%m-%d}" if person.certificate_not_after else "-"
        key = str(person.generation) if person.generation else "being made"
        table.add_row(person.address, person.display_name, person.state, key, until, str(person.devices))
    Console().print(table)
    click.echo(f"{len(answer.people)} people, {answer.pending} still wait for key or certificate.")


@people.command("remove")
@click.argument("address")
@DATA
def remove_person(address: str, data: Path) -> None:
    """Remove whoever has ADDRESS: certificates are revoked, devices shut out, old keys kept."""
    ask(data, "POST", "/local/people/remove", AddressRequest(address=address), type(None))
    click.echo(f"{address} is removed; the certificates are being revoked.")


@people.command("rotate")
@click.argument("address")
@DATA
def rotate_key(address: str, data: Path) -> None:
    """Give ADDRESS a new encryption key; the old ones still decrypt."""
    ask(data, "POST", "/local/people/rotate", AddressRequest(address=address), type(None))
    click.echo(f"{address} has a new encryption key.")


@click.command("invite")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="File to write.")
@DATA
def invite(output: Path, data: Path) -> None:
    """Write the invitation file that devices of the organization are set up with."""
    answer = ask(data, "POST", "/local/invitations", None, InvitationAnswer)
    output.write_bytes(msgspec.json.format(msgspec.json.encode(answer.invitation), indent=2) + b"\n")
    click.echo(f"{output} written; hand it to people on a way that nobody can change it.")


@click.command("tls-certificate")
@click.argument("names", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder for server.key and server.pem.",
)
@DATA
def tls_certificate(names: tuple[str, ...], output: Path, data: Path) -> None:
    """Make a key here and get a certificate for a server of the organization's own with the DNS names or IP addresses NAMES."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(key, hashes.SHA256())
    asked = TlsCertificateRequest(names=names, certification_request=request.public_bytes(Encoding.DER))
    answer = ask(data, "POST", "/local/tls-certificates", asked, TlsCertificate)
    output.mkdir(parents=True, exist_ok=True)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write_new(output / "server.key", private, 0o600)
    _write_new(output / "server.pem", answer.chain.encode("ascii"), 0o644)
    click.echo(f"{output / 'server.key'} and {output / 'server.pem'} written.")


def _write_new(path: Path, content: bytes, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as error:
        raise ConflictError(f"{path} exists and is not overwritten") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


@click.command("sign-in-link")
@click.option("--role", type=click.Choice(ROLES), default=ADMINISTRATOR, help="What its user may do there.")
@DATA
@JSON
def sign_in_link(role: str, data: Path, as_json: bool) -> None:
    """Make a one-time link to the console, for an administrator or another role; `roles permissions` says what each may."""
    answer = ask(data, "POST", "/local/sign-in-links", SignInLinkRequest(role=role), SignInLink)
    if as_json:
        print_json(answer)
        return
    click.echo(answer.url)
    click.echo(f"Valid once, until {answer.expires:%Y-%m-%d %H:%M} UTC.", err=True)


@click.command("status")
@DATA
@JSON
def status(data: Path, as_json: bool) -> None:
    """Show the state of the running server."""
    answer = ask(data, "GET", "/local/status", None, ServerStatus)
    if as_json:
        print_json(answer)
        return
    for name in ServerStatus.__struct_fields__:
        click.echo(f"{name.replace('_', ' '):18} {getattr(answer, name)}")

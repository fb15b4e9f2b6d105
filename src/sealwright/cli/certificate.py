"""`sealwright certificate`."""

from pathlib import Path

import click
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from sealwright.cli.client_options import EXISTING_FILE, ClientOptions, client_options
from sealwright.cli.output import one_line, print_json
from sealwright.client.keys import load_certificates, load_signer
from sealwright.errors import DecodingError
from sealwright.pkix.levels import identity_level
from sealwright.pkix.names import certificate_addresses


@click.group("certificate")
def certificate() -> None:
    """Certificates."""


@certificate.command("show")
@click.argument("file", type=EXISTING_FILE, required=False)
@client_options
def show(options: ClientOptions, file: Path | None) -> None:
    """Show the certificate in FILE (PEM or DER), or this device's own."""
    if file is not None:
        found = [("file", _load(file.read_bytes()))]
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
    return {
        "subject": one.subject.rfc4514_string(),
        "issuer": one.issuer.rfc4514_string(),
        "serial_number": f"{one.serial_number:x}",
        "not_before": one.not_valid_before_utc.isoformat(),
        "not_after": one.not_valid_after_utc.isoformat(),
        "addresses": ", ".join(certificate_addresses(one)),
        "identity_level": identity_level(one),
        "sha256": one.fingerprint(hashes.SHA256()).hex(),
    }


def _load(content: bytes) -> x509.Certificate:
    try:
        if b"-----BEGIN" in content:
            return x509.load_pem_x509_certificate(content)
        return x509.load_der_x509_certificate(content)
    except ValueError as error:
        raise DecodingError("the file holds no certificate") from error

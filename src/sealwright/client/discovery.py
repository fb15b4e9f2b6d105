"""Finding and checking an organization's domain statement (rule 8 of the design).

What pins it is an invitation or, where there is none, TLS to `sealwright.<domain>` under the anchors of the operating system;
a bare answer of the network is never believed.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from sealwright.errors import DecodingError, InputError, UnavailableError, VerificationError
from sealwright.net.dns import ServiceLocation, find_services
from sealwright.net.http import HttpClient
from sealwright.wire.encoding import decode_json, sha256
from sealwright.wire.statement import (
    MAX_STATEMENT_BYTES,
    DomainStatement,
    Invitation,
    SignedStatement,
    verify_statement,
)

WELL_KNOWN_PATH = "/.well-known/sealwright"

FindServices = Callable[[str, str], tuple[ServiceLocation, ...]]


def discover(domain: str, now: datetime, services: FindServices = find_services) -> Invitation:
    """Find an organization without an invitation, over TLS that the operating system trusts.

    The server is asked at the hosts that DNS SRV records name and at `sealwright.<domain>` itself; in either case its
    certificate must be for `sealwright.<domain>`. The statement root that it shows is pinned from then on.

    Args:
        domain: The mail domain, A-label.
        now: Aware UTC.
        services: Looks up SRV records.

    Returns:
        What an invitation file would have said.

    Raises:
        UnavailableError: If no server answers: set-up needs an invitation file.
        VerificationError: If a server's certificate or statement is not to be trusted, and none answered well.
    """
    name = f"sealwright.{domain}"
    http = HttpClient(server_name=name)
    hosts = [f"{location.host}:{location.port}" for location in services("sealwright", domain)]
    problem: UnavailableError | VerificationError | DecodingError = UnavailableError(
        f"no Sealwright server of {domain} was found: ask the administrator for the invitation file"
    )
    for host in (*hosts, name):
        try:
            signed = _fetch(http, f"https://{host}", domain)
            root = sha256(signed.root_key)
            statement = verify_statement(signed, root, domain, now)
        except UnavailableError:
            continue
        except (VerificationError, DecodingError) as error:
            problem = error
            continue
        return Invitation(
            version=1,
            domain=domain,
            organization_name=statement.organization_name,
            endpoints=statement.endpoints,
            tls_anchors=statement.tls_anchors,
            statement_root_sha256=root.hex(),
        )
    raise problem


def load_invitation(path: Path) -> Invitation:
    """Read an invitation file.

    Raises:
        InputError: If it cannot be read or is not an invitation of version 1.
    """
    try:
        invitation = decode_json(path.read_bytes(), Invitation)
    except OSError as error:
        raise InputError(f"the invitation {path} cannot be read") from error
    except DecodingError as error:
        raise DecodingError(f"{path} is not an invitation: {error}") from error
    if invitation.version != 1:
        raise InputError(f"{path} is an invitation of version {invitation.version}, which needs a newer client")
    return invitation


def check_statement(
    signed: SignedStatement, invitation: Invitation, now: datetime, lowest_sequence: int
) -> DomainStatement:
    """Verify a statement against the invitation's pin.

    Raises:
        VerificationError: As `wire.statement.verify_statement`.
        DecodingError: If the pin is not hex.
    """
    try:
        pin = bytes.fromhex(invitation.statement_root_sha256)
    except ValueError as error:
        raise DecodingError("the fingerprint in the invitation is not hex") from error
    return verify_statement(signed, pin, invitation.domain, now, lowest_sequence)


def check_same_authority(before: SignedStatement, statement: DomainStatement) -> None:
    """Check that a newer statement leaves alone what a device relies on: organization, and the keys of releases, log and reports.

    The online statement key may move servers; it must not put other keys in the place of these.

    Raises:
        VerificationError: If it names others.
        DecodingError: If the statement that was kept cannot be read.
    """
    try:
        known = decode_json(before.payload, DomainStatement)
    except DecodingError as error:
        raise DecodingError("the statement that this device keeps cannot be read") from error
    for name in ("organization_id", "release_key", "log_origin", "log_key", "report_key"):
        if getattr(known, name) != getattr(statement, name):
            raise VerificationError(
                f"the statement of {statement.domain} names another {name.replace('_', ' ')} than before: nothing is"
                " trusted until the administrator has explained it and this device is set up anew"
            )


def fetch_statement(
    invitation: Invitation, http: HttpClient, now: datetime, lowest_sequence: int = 0
) -> tuple[SignedStatement, DomainStatement]:
    """Fetch and verify the statement from the first endpoint that has a good one.

    Args:
        invitation: Names endpoints and the root's fingerprint.
        http: Trusts the invitation's TLS anchors.
        now: Aware UTC.
        lowest_sequence: The highest one seen.

    Raises:
        VerificationError: If an endpoint answered something that is not to be trusted, and none answered well.
        UnavailableError: If no endpoint answers.
    """
    problem: UnavailableError | VerificationError | DecodingError = UnavailableError(
        f"no server of {invitation.organization_name} answers"
    )
    for endpoint in invitation.endpoints:
        try:
            signed = _fetch(http, endpoint, invitation.domain)
            return signed, check_statement(signed, invitation, now, lowest_sequence)
        except (VerificationError, DecodingError) as error:
            problem = error
        except UnavailableError as error:
            if isinstance(problem, UnavailableError):
                problem = error
    raise problem


def _fetch(http: HttpClient, endpoint: str, domain: str) -> SignedStatement:
    url = f"{endpoint}{WELL_KNOWN_PATH}?domain={quote(domain)}"
    answer = http.request("GET", url, max_bytes=2 * MAX_STATEMENT_BYTES)
    if answer.status != 200:
        raise UnavailableError(f"{endpoint} has no domain statement (HTTP {answer.status})")
    try:
        return decode_json(answer.body, SignedStatement)
    except DecodingError as error:
        raise DecodingError(f"{endpoint} answers something that is not a domain statement") from error

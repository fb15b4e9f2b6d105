"""The operator's interface (`/local`): whoever may open the Unix socket is the operator."""

from typing import TypeVar

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import RawBody

from sealwright.errors import NotFoundError
from sealwright.identity.http import decode_request
from sealwright.identity.model import Mailbox
from sealwright.keystore.sign_on import SignOn
from sealwright.kms import importing
from sealwright.pkix.requests import check_certification_request
from sealwright.server.init import make_sign_in_link
from sealwright.server.state import read_status
from sealwright.server.wiring import Services
from sealwright.wire.key_import import ImportAnswer, ImportKeyAnswer
from sealwright.wire.operator import (
    AddressRequest,
    EnrolmentSecret,
    EnrolmentSecretRequest,
    InvitationAnswer,
    MailboxDevices,
    MailboxDeviceState,
    MailboxKeysImport,
    MailboxPolicy,
    MemberRequest,
    PeopleImport,
    PeopleImported,
    PeopleList,
    PolicyAnswer,
    PolicyChange,
    PolicyChanged,
    RecoveryRuleAnswer,
    RecoveryRuleRequest,
    RoleChanged,
    RoleHolders,
    RoleRequest,
    ServerStatus,
    SharedMailboxRequest,
    SharedMailboxRows,
    SignInLink,
    SignInLinkRequest,
    SignOnChange,
    TlsCertificate,
    TlsCertificateRequest,
)
from sealwright.wire.roles import ADMINISTRATOR

MAX_OPERATOR_BODY = 16 * 1024 * 1024
"""A staff list of 10,000 rows stays below."""
T = TypeVar("T")


def _decode(body: bytes, kind: type[T]) -> T:
    return decode_request(body, kind, MAX_OPERATOR_BODY)


def _mailbox(services: Services, address: str) -> Mailbox:
    mailbox = services.people.find_mailbox(services.organization_id, address)
    if mailbox is None:
        raise NotFoundError(f"nobody has the address {address}")
    return mailbox


class OperatorController(Controller):
    """Routes under `/local`."""

    path = "/local"

    @get("/status", sync_to_thread=True)
    def status(self, services: NamedDependency[Services]) -> ServerStatus:
        """Return the state of the server."""
        return read_status(services)

    @post("/people", sync_to_thread=True, status_code=200)
    def import_people(self, body: RawBody, services: NamedDependency[Services]) -> PeopleImported:
        """Import a staff list."""
        return services.people.import_people(services.organization_id, _decode(body, PeopleImport).people)

    @get("/people", sync_to_thread=True)
    def list_people(self, services: NamedDependency[Services]) -> PeopleList:
        """List everybody."""
        return services.people.list_people(services.organization_id)

    @post("/people/remove", sync_to_thread=True, status_code=204)
    def remove_person(self, body: RawBody, services: NamedDependency[Services]) -> None:
        """End a tenure."""
        services.people.remove_person(services.organization_id, _decode(body, AddressRequest).address)

    @post("/people/rotate", sync_to_thread=True, status_code=204)
    def rotate_key(self, body: RawBody, services: NamedDependency[Services]) -> None:
        """Give a mailbox its next key."""
        address = _decode(body, AddressRequest).address
        mailbox = services.people.find_mailbox(services.organization_id, address)
        if mailbox is None:
            raise NotFoundError(f"nobody has the address {address}")
        services.keys.rotate(services.organization_id, mailbox.mailbox_id)

    @get("/roles", sync_to_thread=True)
    def list_roles(self, services: NamedDependency[Services]) -> RoleHolders:
        """List everybody who has a role."""
        return RoleHolders(holders=services.roles.holders(services.organization_id))

    @post("/roles", sync_to_thread=True, status_code=200)
    def change_role(self, body: RawBody, services: NamedDependency[Services]) -> RoleChanged:
        """Give a person a role or take it away, or propose it."""
        wanted = _decode(body, RoleRequest)
        mailbox = services.people.find_mailbox(services.organization_id, wanted.address)
        if mailbox is None:
            raise NotFoundError(f"nobody has the address {wanted.address}")
        known = set(services.approvals.roles_of(services.organization_id, mailbox.mailbox_id))
        roles = known | {wanted.role} if wanted.holds else known - {wanted.role}
        made = services.roles.change(
            services.organization_id, mailbox.mailbox_id, tuple(sorted(roles)), "", wanted.reason
        )
        return RoleChanged(proposal_id=made.proposal_id if made else "")

    @get("/recovery-rule", sync_to_thread=True)
    def show_recovery_rule(self, services: NamedDependency[Services]) -> RecoveryRuleAnswer:
        """Return under which conditions keys are recovered."""
        rule, row = services.recovery_rules.rule(services.organization_id)
        officers = len(services.recovery_rules.officers(services.organization_id))
        return RecoveryRuleAnswer(rule=rule, version=row.version, officers=officers)

    @post("/recovery-rule", sync_to_thread=True, status_code=200)
    def change_recovery_rule(self, body: RawBody, services: NamedDependency[Services]) -> RoleChanged:
        """Change that, or propose it."""
        wanted = _decode(body, RecoveryRuleRequest)
        made = services.recovery_rules.change(services.organization_id, wanted.rule, "", wanted.reason)
        return RoleChanged(proposal_id=made.proposal_id if made else "")

    @get("/import-key", sync_to_thread=True)
    def import_key(self, services: NamedDependency[Services]) -> ImportKeyAnswer:
        """Return what keys of another system are sealed to."""
        return services.keys.importer.import_key(services.organization_id)

    @post("/people/keys", sync_to_thread=True, status_code=200)
    def import_keys(self, body: RawBody, services: NamedDependency[Services]) -> ImportAnswer:
        """Take keys of another system into a mailbox's history."""
        wanted = _decode(body, MailboxKeysImport)
        outcomes = services.keys.importer.import_keys(
            services.organization_id, wanted.mailbox_id, wanted.keys, importing.ADMINISTRATOR, "operator"
        )
        return ImportAnswer(outcomes=outcomes)

    @get("/policy", sync_to_thread=True)
    def show_policy(self, services: NamedDependency[Services]) -> PolicyAnswer:
        """Return the release rules of the organization and its groups."""
        return PolicyAnswer(rules=services.policies.listed(services.organization_id))

    @get("/shared-mailboxes", sync_to_thread=True)
    def list_shared(self, services: NamedDependency[Services]) -> SharedMailboxRows:
        """List shared mailboxes and their members."""
        return services.shared.listed(services.organization_id)

    @post("/shared-mailboxes", sync_to_thread=True, status_code=204)
    def create_shared(self, body: RawBody, services: NamedDependency[Services]) -> None:
        """Make a shared mailbox."""
        wanted = _decode(body, SharedMailboxRequest)
        services.shared.create(
            services.organization_id, wanted.address, wanted.display_name, rekey_on_leave=wanted.rekey_on_leave
        )

    @post("/shared-mailboxes/members", sync_to_thread=True, status_code=204)
    def change_member(self, body: RawBody, services: NamedDependency[Services]) -> None:
        """Let somebody join a shared mailbox, or leave it."""
        wanted = _decode(body, MemberRequest)
        change = services.shared.join if wanted.joins else services.shared.leave
        change(services.organization_id, wanted.address, wanted.member)

    @post("/policy", sync_to_thread=True, status_code=200)
    def change_policy(self, body: RawBody, services: NamedDependency[Services]) -> PolicyChanged:
        """Change release rules, or propose weaker ones."""
        return services.weaker.change(services.organization_id, _decode(body, PolicyChange))

    @post("/policy/mailbox", sync_to_thread=True, status_code=200)
    def change_mailbox_policy(self, body: RawBody, services: NamedDependency[Services]) -> PolicyChanged:
        """Put a mailbox into a group, or freeze it; or propose the opposite."""
        wanted = _decode(body, MailboxPolicy)
        mailbox = _mailbox(services, wanted.address)
        return services.weaker.change_mailbox(services.organization_id, mailbox.mailbox_id, wanted)

    @post("/policy/sign-on", sync_to_thread=True, status_code=200)
    def change_sign_on(self, body: RawBody, services: NamedDependency[Services]) -> PolicyChanged:
        """Set the organization's sign-on, or propose another one."""
        wanted = _decode(body, SignOnChange)
        keys = services.fetch_issuer_keys(wanted.issuer)
        sign_on = SignOn(wanted.issuer, wanted.client_id, wanted.claim, wanted.device_flow, wanted.pinned, keys)
        return services.weaker.set_sign_on(services.organization_id, sign_on, wanted.reason)

    @post("/enrolment-secrets", sync_to_thread=True, status_code=200)
    def make_enrolment_secret(self, body: RawBody, services: NamedDependency[Services]) -> EnrolmentSecret:
        """Make a secret that lets one device of a mailbox in."""
        wanted = _decode(body, EnrolmentSecretRequest)
        mailbox = _mailbox(services, wanted.address)
        secret, expires = services.access.make_secret(
            services.organization_id, mailbox.mailbox_id, wanted.days, "operator"
        )
        return EnrolmentSecret(
            address=mailbox.address,
            display_name=mailbox.display_name,
            organization_name=services.settings.organization.name,
            secret=secret,
            expires=expires,
        )

    @post("/devices", sync_to_thread=True, status_code=200)
    def list_devices(self, body: RawBody, services: NamedDependency[Services]) -> MailboxDevices:
        """List the devices of a mailbox."""
        mailbox = _mailbox(services, _decode(body, AddressRequest).address)
        return MailboxDevices(devices=services.devices.of_mailbox(services.organization_id, mailbox.mailbox_id))

    @post("/devices/state", sync_to_thread=True, status_code=204)
    def change_device_state(self, body: RawBody, services: NamedDependency[Services]) -> None:
        """Lock or unlock a device of a mailbox."""
        wanted = _decode(body, MailboxDeviceState)
        mailbox = _mailbox(services, wanted.address)
        services.devices.change_state_of(
            services.organization_id, mailbox.mailbox_id, wanted.device_id, wanted.state, "operator"
        )

    @post("/invitations", sync_to_thread=True, status_code=200)
    def invite(self, services: NamedDependency[Services]) -> InvitationAnswer:
        """Return the invitation file's content."""
        return InvitationAnswer(invitation=services.statements.invitation())

    @post("/sign-in-links", sync_to_thread=True, status_code=200)
    def sign_in_link(self, body: RawBody, services: NamedDependency[Services]) -> SignInLink:
        """Make a one-time link to the console."""
        role = _decode(body, SignInLinkRequest).role if body else ADMINISTRATOR
        url, expires = make_sign_in_link(services.storage, services.settings, services.clock, role)
        return SignInLink(url=url, expires=expires)

    @post("/tls-certificates", sync_to_thread=True, status_code=200)
    def tls_certificate(self, body: RawBody, services: NamedDependency[Services]) -> TlsCertificate:
        """Issue a certificate for a server of the organization's own."""
        wanted = _decode(body, TlsCertificateRequest)
        public_key = check_certification_request(wanted.certification_request)
        names = [name.lower() for name in wanted.names]
        return TlsCertificate(chain=services.authority.issue_tls(services.organization_id, names, public_key))

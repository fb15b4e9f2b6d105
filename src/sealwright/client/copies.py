"""The copies of a message that is sent: one for those who may see each other and can share it, one for the sender."""

from collections.abc import Sequence

from cryptography import x509

from sealwright.client.capabilities import announced_capabilities, own_recipient, reads_protected_headers, recipient_of
from sealwright.client.context import ClientContext
from sealwright.client.directory import RecipientCertificate
from sealwright.client.signing import ready_signer
from sealwright.client.state import SendOptions
from sealwright.smime.algorithm_choice import choose, plan_copies, use_pairs
from sealwright.smime.compose import Protection, protect
from sealwright.smime.header_protection import POLICIES


def protected_copies(
    context: ClientContext,
    message: bytes,
    group: Sequence[str],
    found: Sequence[RecipientCertificate],
    options: SendOptions,
) -> list[tuple[tuple[str, ...], bytes]]:
    """Return the protected copies for people who may see each other, with the addresses that get each.

    Where one of them has no certificate, the message is only signed: the decision table was asked before.
    """
    known, by_address = context.store.state.programs, {each.address: each for each in found}
    recipients = []
    for address in group:
        its = by_address[address]
        if its.certificate is None:
            return [(tuple(group), sign_message(context, message))]
        recipients.append(recipient_of(known, address, its.certificate, its.kem_certificate))
    protected = []
    for copy in plan_copies(recipients, own_recipient(context)):
        addresses = tuple(group[position] for position in copy.positions)
        if not addresses:
            continue  # the sender's own: `own_copy`
        protection = Protection(
            algorithms=copy.algorithms,
            header_policy=POLICIES[options.header_policy],
            legacy_display=not all(reads_protected_headers(known, address) for address in addresses),
            capabilities=announced_capabilities(context),
        )
        protected.append((addresses, _protect(context, message, copy.certificates, protection)))
    return protected


def own_copy(context: ClientContext, message: bytes, options: SendOptions) -> bytes:
    """Return the sender's copy of a message: signed like the others, encrypted to nobody else, blind copies named inside.

    Raises:
        NotFoundError: If the mailbox has no encryption certificate yet.
    """
    (own,) = use_pairs([own_recipient(context)])
    protection = Protection(
        algorithms=choose([own]),
        header_policy=POLICIES[options.header_policy],
        legacy_display=not reads_protected_headers(context.store.state.programs, context.store.state.address),
        capabilities=announced_capabilities(context),
        keep_bcc=True,
    )
    return _protect(context, message, [own.certificate], protection)


def sign_message(context: ClientContext, message: bytes) -> bytes:
    """Sign a message with this device's key, without encrypting it.

    Raises:
        InputError: If the message is malformed or too large.
    """
    return _protect(context, message, (), Protection(capabilities=announced_capabilities(context)))


def _protect(
    context: ClientContext, message: bytes, certificates: Sequence[x509.Certificate], protection: Protection
) -> bytes:
    signer, now = ready_signer(context), context.clock.now()
    return protect(message, signer, certificates, signing_time=now, protection=protection)

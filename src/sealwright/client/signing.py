"""This device's signing certificate: asked for at set-up, renewed on the same key before it ends, without being asked."""

from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sealwright.client.context import ClientContext
from sealwright.client.keys import load_certificates, load_signer
from sealwright.client.session import load_p256_private_key
from sealwright.client.state import SigningKey
from sealwright.cms.signers import PrivateKeySigner
from sealwright.errors import SealwrightError, VerificationError
from sealwright.pkix.names import certificate_addresses
from sealwright.pkix.path import validate_path
from sealwright.wire.api import CertificateAnswer, CertificateRequest

RENEW_BEFORE = timedelta(days=30)
"""The CA renews in the last third of a certificate's life, which is longer; a device that is used monthly is never late."""


def certify_signing_key(context: ClientContext) -> None:
    """Make this device's signing key, if it has none, and get its certificate, if it has none.

    Raises:
        SealwrightError: What the server's problem says.
        VerificationError: If the certificate is not for this key and address, or its path does not hold.
    """
    signing = context.store.state.signing_key
    if signing is None:  # kept before it is sent, so that a repeated request is for the same key
        private_key = ec.generate_private_key(ec.SECP256R1())
        signing = SigningKey(
            private_key_pkcs8=private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        )
        context.store.update({"signing_key": signing})
    if not signing.certificate:
        _certify(context, signing)


def ready_signer(context: ClientContext) -> PrivateKeySigner:
    """Return this device as a signer; a certificate that ends within 30 days is renewed first.

    While the old one is valid, a renewal that fails is tried again the next time.

    Raises:
        ConfigurationError: If set-up has not come that far.
        SealwrightError: If the certificate has ended and is not renewed.
    """
    signing = context.store.state.signing_key
    ends = load_signer(signing).certificate.not_valid_after_utc
    if signing is not None and ends - context.clock.now() < RENEW_BEFORE:
        try:
            _certify(context, signing)
        except SealwrightError:
            if ends <= context.clock.now():
                raise
    return load_signer(context.store.state.signing_key)


def own_certificates(context: ClientContext) -> list[x509.Certificate]:
    """Return what others need to write to the owner of this device and to know his signature, with all intermediates.

    Raises:
        NotFoundError: If the mailbox has no encryption certificate yet.
        ConfigurationError: If set-up has not come that far.
    """
    signer = load_signer(context.store.state.signing_key)
    certificate, chain = context.key_ring.active_certificate()
    return [certificate, *chain, signer.certificate, *signer.chain]


def _certify(context: ClientContext, signing: SigningKey) -> None:
    store, private_key = context.store, load_p256_private_key(signing.private_key_pkcs8)
    request = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(private_key, hashes.SHA256())
    answer = context.session.post(
        "/v1/certificates",
        CertificateRequest(
            certification_request=request.public_bytes(Encoding.DER), mailbox_id=context.enrolled.mailbox_id
        ),
        CertificateAnswer,
    )
    certificate, *chain = load_certificates((answer.certificate, *answer.chain))
    if certificate.public_key() != private_key.public_key() or store.state.address not in certificate_addresses(
        certificate
    ):
        raise VerificationError("the CA answered with a certificate for another key or address")
    validate_path(certificate, chain, context.smime_anchors, now=context.clock.now(), purpose="sign")
    certified = SigningKey(
        private_key_pkcs8=signing.private_key_pkcs8, certificate=answer.certificate, chain=answer.chain
    )
    store.update({"signing_key": certified})

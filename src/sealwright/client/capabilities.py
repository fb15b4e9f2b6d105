"""What correspondents' programs can read, learnt from their verified mail (RFC 8551 sections 2.5.2 and 2.7.1).

Each device of a correspondent has a signing certificate of its own, and the mailbox is read on all of them: what counts is what
*every* device of an address is known to read. A mailbox whose owner also reads it in an old program therefore keeps getting
AES-256-CBC, and not in turn what the device that wrote last can read.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sealwright.client.context import ClientContext
from sealwright.client.state import KnownProgram
from sealwright.errors import DecodingError, NotFoundError
from sealwright.smime import capabilities
from sealwright.smime.algorithm_choice import Recipient
from sealwright.smime.capabilities import Capabilities
from sealwright.smime.verdict import Verdict

MAX_PROGRAMS = 2000
"""About 200 octets each, in a file that is written anew with each change; the oldest are forgotten first."""
MAX_DEVICES = 8
"""Of one address; a device that was renewed often must not push everybody else out."""
SILENT = timedelta(days=180)
"""A device that has been silent so much longer than the address's newest one is no longer there."""
REFRESH = timedelta(days=1)
"""The same news is not written again within a day."""


def learn_program(known: Sequence[KnownProgram], verdict: Verdict) -> tuple[KnownProgram, ...]:
    """Return what is known after a message; the same object if it says nothing new.

    Only a message with an author beyond doubt is believed, and only a signing time that has come and is newer than what is
    known (RFC 8551 section 2.5.2: MUST NOT be stored otherwise).
    """
    author, layer = verdict.summary.authentic_author, verdict.signature
    signer = next((each for each in layer.signers if each.matches_from), None) if layer is not None else None
    known = tuple(known)
    if author is None or signer is None or signer.certificate is None or signer.signing_time is None:
        return known
    if not signer.capabilities or not _is_readable(signer.capabilities):
        return known
    news = KnownProgram(
        address=author,
        signer_sha256=sha256(signer.certificate.public_bytes(Encoding.DER)).digest(),
        signing_time=signer.signing_time,
        capabilities=signer.capabilities,
        reads_protected_headers=any(each.is_called("from") for each in verdict.headers.protected),
    )
    old = next((each for each in known if _is_same_program(each, news)), None)
    if old is not None:
        is_same = (old.capabilities, old.reads_protected_headers) == (news.capabilities, news.reads_protected_headers)
        if news.signing_time <= old.signing_time + (REFRESH if is_same else timedelta(0)):
            return known
    others = [each for each in known if not _is_same_program(each, news)]
    newest_first = sorted([*others, news], key=lambda each: each.signing_time, reverse=True)
    devices = [each for each in newest_first if each.address == author]
    forgotten = [*devices[MAX_DEVICES:], *newest_first[MAX_PROGRAMS:]]
    return tuple(each for each in newest_first if each not in forgotten)


def learn(context: ClientContext, verdict: Verdict) -> None:
    """Remember what a message's author can read."""
    known = context.store.state.programs
    learnt = learn_program(known, verdict)
    if learnt != known:
        context.store.update({"programs": learnt})


def known_capabilities(known: Sequence[KnownProgram], address: str) -> Capabilities | None:
    """Return what every device of an address reads, or None if nothing is known."""
    found: Capabilities | None = None
    for program in _programs(known, address):
        its = capabilities.parse(program.capabilities)
        found = its if found is None else found.shared_with(its)
    return found


def reads_protected_headers(known: Sequence[KnownProgram], address: str) -> bool:
    """Say whether every device of an address has sent protected headers, and so reads them."""
    programs = _programs(known, address)
    return bool(programs) and all(program.reads_protected_headers for program in programs)


def own_recipient(context: ClientContext) -> Recipient:
    """Return the sender as a recipient of his own mail.

    Raises:
        NotFoundError: If the mailbox has no encryption certificate yet.
    """
    ring, state = context.key_ring, context.store.state
    certificate, kem_certificate = ring.active_certificate()[0], ring.active_kem_certificate()
    elsewhere = known_capabilities(state.programs, state.address)
    ours = capabilities.announced([one.public_key() for one in (certificate, kem_certificate) if one is not None])
    return Recipient(certificate, ours if elsewhere is None else ours.shared_with(elsewhere), kem_certificate)


def announced_capabilities(context: ClientContext) -> bytes:
    """Return the DER of what this device announces in signed mail."""
    keys = []
    with suppress(NotFoundError):  # nobody can encrypt to this mailbox yet; the ciphers are announced all the same
        keys.append(context.key_ring.active_certificate()[0].public_key())
    kem_certificate = context.key_ring.active_kem_certificate()
    if kem_certificate is not None:
        keys.append(kem_certificate.public_key())
    return capabilities.encode(capabilities.announced(keys))


def recipient_of(
    known: Sequence[KnownProgram],
    address: str,
    certificate: x509.Certificate,
    kem_certificate: x509.Certificate | None = None,
) -> Recipient:
    """Return what is known about a recipient."""
    return Recipient(certificate, known_capabilities(known, address), kem_certificate)


def _programs(known: Sequence[KnownProgram], address: str) -> list[KnownProgram]:
    found = [each for each in known if each.address == address]
    newest = max((each.signing_time for each in found), default=None)
    return [each for each in found if newest is not None and each.signing_time >= newest - SILENT]


def _is_same_program(one: KnownProgram, other: KnownProgram) -> bool:
    return (one.address, one.signer_sha256) == (other.address, other.signer_sha256)


def _is_readable(encoded: bytes) -> bool:
    try:
        return bool(capabilities.parse(encoded).names)
    except DecodingError:
        return False

"""The one table between errors and RFC 9457 problems; the server answers with it and the client reads it backwards."""

from typing import Any

from msgspec import Struct

from sealwright import errors
from sealwright.errors import RateLimitedError, SealwrightError, UnavailableError

TYPE_PREFIX = "urn:sealwright:problem:"
MEDIA_TYPE = "application/problem+json"
UNAVAILABLE_RETRY_SECONDS = 5
MAX_DETAIL_CHARACTERS = 2000
MAX_RETRY_SECONDS = 24 * 3600


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An RFC 9457 problem.

    Attributes:
        type: `TYPE_PREFIX` and the error's name.
        title: The same words for every problem of this type.
        status: HTTP status.
        detail: What happened this time, one sentence for people.
        retry_after: Seconds, where asking again makes sense; also for the Retry-After header.
    """

    type: str
    title: str
    status: int
    detail: str
    retry_after: int | None = None


PROBLEMS: dict[type[SealwrightError], tuple[str, str, int]] = {
    errors.InputError: ("input", "The request cannot be used", 400),
    errors.DecodingError: ("decoding", "The data is not validly encoded", 400),
    errors.UnsupportedAlgorithmError: ("unsupported-algorithm", "The algorithm is not used here", 422),
    errors.ProfileViolationError: ("profile-violation", "The request is against a profile", 422),
    errors.VerificationError: ("verification", "A cryptographic check failed", 422),
    errors.InvalidSignatureError: ("invalid-signature", "A signature does not verify", 422),
    errors.PathValidationError: ("path-validation", "A certification path is not valid", 422),
    errors.DecryptionError: ("decryption", "The message cannot be decrypted", 422),
    errors.LogVerificationError: ("log-verification", "The log does not hold what was promised", 422),
    errors.NotFoundError: ("not-found", "Not found", 404),
    errors.ConflictError: ("conflict", "The state changed meanwhile", 409),
    errors.AuthenticationError: ("authentication", "Authentication failed", 401),
    errors.NonceRequiredError: ("nonce-required", "The proof needs a fresh nonce", 401),
    errors.PermissionDeniedError: ("permission-denied", "Not allowed", 403),
    errors.ApprovalsMissingError: ("approvals-missing", "Approvals are missing", 403),
    errors.MailHeldError: ("mail-held", "The message was held back", 403),
    errors.RateLimitedError: ("rate-limited", "Too many requests", 429),
    errors.UnavailableError: ("unavailable", "Not available now", 503),
    errors.SealedError: ("sealed", "The server is sealed", 503),
    errors.OutcomeUnknownError: ("outcome-unknown", "It may or may not have been done", 500),
    errors.ConfigurationError: ("configuration", "An administrator must change something", 500),
}
"""Class -> (name, title, HTTP status)."""

_INTERNAL = ("internal", "Internal error", 500)
_BY_TYPE = {TYPE_PREFIX + name: kind for kind, (name, _, _) in PROBLEMS.items()}
_BY_TYPE[TYPE_PREFIX + _INTERNAL[0]] = SealwrightError
_BY_STATUS: dict[int, type[SealwrightError]] = {
    400: errors.InputError,
    401: errors.AuthenticationError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    409: errors.ConflictError,
    413: errors.InputError,
    415: errors.InputError,
    422: errors.InputError,
    429: errors.RateLimitedError,
}


def problem_for(error: Exception) -> Problem:
    """Return the problem of an error: of its class, or the nearest class above that is in the table.

    An exception that is not Sealwright's own is an internal error; its message stays inside.
    """
    if not isinstance(error, SealwrightError):
        name, title, status = _INTERNAL
        return Problem(type=TYPE_PREFIX + name, title=title, status=status, detail="an internal error; see the log")
    name, title, status = next((PROBLEMS[kind] for kind in type(error).__mro__ if kind in PROBLEMS), _INTERNAL)
    retry_after = None
    if isinstance(error, RateLimitedError):
        retry_after = error.retry_after_seconds
    elif isinstance(error, UnavailableError):
        retry_after = UNAVAILABLE_RETRY_SECONDS
    return Problem(type=TYPE_PREFIX + name, title=title, status=status, detail=error.message, retry_after=retry_after)


def error_from(problem_json: dict[str, Any]) -> SealwrightError:
    """Return the error that a problem speaks of; never raises, whatever a server sent.

    Args:
        problem_json: The decoded JSON object. An unknown type is read by its status; what is left is unavailable for 5xx
            and a plain `SealwrightError` otherwise.
    """
    status = problem_json.get("status")
    status = status if isinstance(status, int) else 0
    detail = problem_json.get("detail") or problem_json.get("title")
    if not isinstance(detail, str):
        detail = f"the server answered with status {status}"
    detail = "".join(character for character in detail if character.isprintable())[:MAX_DETAIL_CHARACTERS]
    kind = _BY_TYPE.get(str(problem_json.get("type"))) or _BY_STATUS.get(status)
    if kind is None:
        kind = UnavailableError if status >= 500 else SealwrightError
    if issubclass(kind, RateLimitedError):
        retry_after = problem_json.get("retry_after")
        if isinstance(retry_after, int) and 0 <= retry_after <= MAX_RETRY_SECONDS:
            return kind(detail, retry_after)
    return kind(detail)

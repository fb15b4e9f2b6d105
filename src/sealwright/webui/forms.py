"""Fields of posted forms."""

from urllib.parse import parse_qsl

from sealwright.errors import InputError

MAX_FORM_BYTES = 64 * 1024
MAX_FIELDS = 20


def form_fields(body: bytes) -> dict[str, str]:
    """Decode `application/x-www-form-urlencoded`.

    Raises:
        InputError: If it is something else, too large, or has a field twice.
    """
    if len(body) > MAX_FORM_BYTES:
        raise InputError("The form is too large.")
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            max_num_fields=MAX_FIELDS,
            errors="strict",
        )
    except ValueError as error:
        raise InputError("This is not a form.") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise InputError("The form has a field twice.")
    return fields

"""The seal as somebody with a share sees it who sits at another terminal than the server's."""

from typing import TypeVar

import msgspec

from sealwright.client.context import ClientContext
from sealwright.errors import UnavailableError
from sealwright.net.http import HttpClient
from sealwright.wire.api import Answer, Request
from sealwright.wire.encoding import decode_json
from sealwright.wire.problems import error_from

AnswerT = TypeVar("AnswerT", bound=Answer)


def ask_about_seal(
    context: ClientContext, method: str, path: str, request: Request | None, answer_type: type[AnswerT]
) -> AnswerT:
    """Ask the organization's server about its seal: without a token, which a sealed server could not check.

    Raises:
        SealwrightError: What the server's problem says; `UnavailableError` if no node answers.
    """
    http, error = HttpClient(context.anchors), UnavailableError("no server is named")
    body = None if request is None else msgspec.json.encode(request)
    for endpoint in context.statement.endpoints:
        try:
            answer = http.request(method, endpoint + path, body=body)
        except UnavailableError as failure:
            error = failure
            continue
        if answer.status >= 400:
            raise error_from(decode_json(answer.body, dict))
        return decode_json(answer.body, answer_type)
    raise error

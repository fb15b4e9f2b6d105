"""RFC 9457 problems as HTTP answers, of an open server and of a sealed one."""

from collections.abc import Mapping

import msgspec
from litestar import Response

from sealwright.wire.problems import MEDIA_TYPE, Problem


def problem_answer(problem: Problem, headers: Mapping[str, str]) -> Response[bytes]:
    """Return a problem with its status, and when to try again if it says so."""
    retry = {} if problem.retry_after is None else {"Retry-After": str(problem.retry_after)}
    return Response(
        msgspec.json.encode(problem), status_code=problem.status, media_type=MEDIA_TYPE, headers={**headers, **retry}
    )

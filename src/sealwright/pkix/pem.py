"""PEM blocks in a file (RFC 7468), found in one pass however many of them begin and never end."""

import re
from collections.abc import Iterator

_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,60})-----")


def pem_blocks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield label and text of each block, its boundary lines included; a block ends at the next line that ends one."""
    position, end = 0, -1
    while (begin := _BEGIN.search(content, position)) is not None:
        position = begin.end()
        if end < position:
            end = content.find(b"-----END ", position)
            if end < 0:
                return
        last = b"-----END " + begin[1] + b"-----"
        if content.startswith(last, end):
            position = end + len(last)
            yield begin[1], content[begin.start() : position]

"""What STS says of the room that session policies and session tags take in a session's token.

AWS keeps its way of packing to itself. Known is (STS API Reference, `PackedPolicySize` and
PackedPolicyTooLarge; re:Post, "PackedPolicyTooLarge error"): policies, their ARNs and tags are
packed together, the quota is another one than those of their lengths, the answer tells the
percentage, and these are its two sentences. Here text that repeats itself packs well, and tags not
at all: some of what is packed must be refused that no length refuses.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

from tests.sandbox.sigv4 import RefusedError

ALLOTTED_BYTES = 1200


def packed_size(policy: str | None, arns: Sequence[str], tags: Mapping[str, str]) -> int | None:
    """The percentage of the room that is taken; None where the call brings nothing of the kind.

    Raises:
        RefusedError: It is more than there is.
    """
    if not (policy or arns or tags):
        return None
    of_tags = sum(len(key) + len(value) for key, value in tags.items())
    of_policies = len(zlib.compress("\n".join([policy or "", *arns]).encode()))
    alone, percent = (-(-100 * size // ALLOTTED_BYTES) for size in (of_tags, of_tags + of_policies))
    if alone > 100:
        raise _too_large(f"Packed size of session tags consumes {alone}% of allotted space.")
    if percent > 100:
        told = f"Packed policy consumes {percent}% of allotted space, please use smaller policy."
        raise _too_large(told)
    return percent


def _too_large(message: str) -> RefusedError:
    return RefusedError("PackedPolicyTooLarge", message, 400)

"""The hash that decides whether a deploy is a change."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from orca.model.service import RevisionSpec


def spec_hash(spec: RevisionSpec) -> str:
    """Sixteen hex digits over every field of the resolved spec, image digest included.

    The order of mappings does not count.
    """
    canonical = json.dumps(asdict(spec), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]

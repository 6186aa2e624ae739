"""What all tiers share: where their helpers are found.

pytest imports test modules by path (`--import-mode=importlib`), so that two tiers may have a test file of
the same name. Helper modules lie beside the tests that use them and are imported by their plain name;
`test_project.py` keeps those names apart.
"""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).parent


def helper_directories() -> list[str]:
    """Directories with at least one module that is neither a test nor a conftest."""
    modules = (path for path in TESTS.rglob("*.py") if path.parent != TESTS)
    helpers = (path for path in modules if not path.name.startswith(("test_", "conftest")))
    return sorted({str(path.parent) for path in helpers})


sys.path[:0] = [directory for directory in helper_directories() if directory not in sys.path]

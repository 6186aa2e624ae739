"""orca: one place to run containers on 1 to a few hundred Linux hosts."""

__version__ = "0.1.0"

"""Secrets: names, sealing, resolving, redaction. Pure but for the key file; records are the master's."""

"""Pure decisions: no await, no clock, no randomness, no log.

Each function looks at a frozen snapshot and a moment, and returns what should be done with a reason that
a person can read.
"""

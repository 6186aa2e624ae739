"""Logs, traces and metrics of every program."""

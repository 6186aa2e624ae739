"""Actors: objects that own their state and handle one message at a time."""

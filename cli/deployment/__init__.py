"""Drives one stack through Pulumi: opening, preview, update, outputs, state, locks, events."""

"""Backups and the way back after a failed restore."""

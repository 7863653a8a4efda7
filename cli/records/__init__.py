"""Keeps the records that the command appends for the console: deployments, drift, backups, promotions, ended containers."""

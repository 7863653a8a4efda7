"""Validated models of the settings in a stack's file and in `.env`."""

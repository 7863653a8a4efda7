"""Finds tools by what they do, for clients with more tools at their address than a model should read at once."""

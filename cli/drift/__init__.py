"""Finds, reports and repairs what was changed on the engine outside of Pulumi."""

"""Implements the GitHub service: reads repositories, issues, code and workflow runs by the official API."""

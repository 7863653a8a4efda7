"""This package reads the site: searches, notes, profiles, comments and share links."""

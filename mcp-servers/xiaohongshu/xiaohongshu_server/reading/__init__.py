"""This package reads searches, notes, profiles, comments and share links of the site."""

"""Writes the pages: routes, what each page shows, templates with a macro per part, and static files."""

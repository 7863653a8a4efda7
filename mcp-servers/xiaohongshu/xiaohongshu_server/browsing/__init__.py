"""This package opens pages of the site at a person's pace and recognises refusals."""

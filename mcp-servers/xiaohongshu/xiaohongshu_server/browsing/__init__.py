"""This package opens pages of the site as slowly as a person does, and recognises the site's refusals."""

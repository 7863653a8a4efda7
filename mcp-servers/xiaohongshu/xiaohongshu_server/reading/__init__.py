"""Reading the site: searches, notes, profiles, comments and share links, as objects of the model."""

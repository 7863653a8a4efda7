"""Writing on the site by its buttons and fields."""

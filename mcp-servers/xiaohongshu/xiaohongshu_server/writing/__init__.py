"""This package writes on the site by clicking its buttons and filling its fields."""

"""This package writes on the site through its buttons and fields."""

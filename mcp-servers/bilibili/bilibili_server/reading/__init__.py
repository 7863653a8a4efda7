"""This package reads the site's pages and turns them into answers."""

"""This package finds the programs of sources, and writes the locks that their images are built from."""

"""Makes releases: images by digest with the contracts of their tools."""

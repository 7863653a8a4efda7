"""Makes what pages are put together from: static files, charts, the rows of a waterfall, and texts."""

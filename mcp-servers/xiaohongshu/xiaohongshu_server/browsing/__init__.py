"""Pages of the site in the browser: opening them at a person's pace, and recognising refusals."""

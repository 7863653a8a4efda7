"""Stack files as people write them: edited, merged, and kept free of salts."""

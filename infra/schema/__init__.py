"""What every settings model is made of: strict models, problems as data, corrections, paths of keys."""

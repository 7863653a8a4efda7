"""The basis of the settings' models: strict models, problems as data, corrections, paths of keys."""

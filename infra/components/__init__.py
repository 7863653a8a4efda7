"""ComponentResources, one package for each kind of engine."""

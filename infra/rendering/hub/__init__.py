"""Makes the catalogue from which the hub answers lists: what each service offers, and the groups of tools."""

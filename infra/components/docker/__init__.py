"""ComponentResources: each owns its containers, networks and volumes, with secure defaults inside."""

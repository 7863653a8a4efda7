"""What a stack has on the engine, and how well that is."""

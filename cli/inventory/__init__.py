"""Lists what a stack has on the engine, and reports its health."""

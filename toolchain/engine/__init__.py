"""The container engine and the base images made for it."""

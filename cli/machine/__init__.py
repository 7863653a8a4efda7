"""Running the project's tests on this machine."""

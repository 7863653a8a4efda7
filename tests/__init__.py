"""The tests, by tier: unit, servers, toolchain, gateway, deploy."""

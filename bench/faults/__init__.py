"""The parts of bench/chaos.py: calls and their outcomes, the load, a separate engine, the stack and the faults."""

"""The parts of bench/chaos.py: calls and what became of them, the load, an engine apart, the stack, and the faults."""

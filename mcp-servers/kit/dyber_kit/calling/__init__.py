"""A call from its arguments to its answer: what tools declare, and what is checked, converted and limited."""

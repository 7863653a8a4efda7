"""What the parts of a stack are made of: images, data volumes, address ranges."""

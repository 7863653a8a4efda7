"""What a stack's file and `.env` can say, as validated models."""

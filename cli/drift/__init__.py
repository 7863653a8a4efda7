"""What was changed on the engine outside of Pulumi: finding it, telling it, putting it back."""

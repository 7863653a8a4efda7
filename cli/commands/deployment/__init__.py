"""Commands that deploy, preview, plan and promote stacks, and that report drift."""

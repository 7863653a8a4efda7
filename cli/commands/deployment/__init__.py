"""Commands that deploy, preview, plan and promote stacks, and that find drift."""

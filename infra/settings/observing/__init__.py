"""Settings of what shows and tells how a stack is: the console, exported spans, alerts."""

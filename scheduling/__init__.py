"""When polls and builds run: a process of its own that starts both as child processes, and imports no engine and no client."""

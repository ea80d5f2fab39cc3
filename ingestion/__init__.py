"""One module a source of listening data: it finds and parses files into typed rows, and knows nothing of Delta."""

"""One run of the pipeline: scan, plan, execute, record."""

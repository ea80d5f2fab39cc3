"""The kernel: it reads, writes, checks, times, logs and retries tables; it knows nothing of music."""

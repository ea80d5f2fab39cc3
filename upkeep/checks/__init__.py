"""What `lakehouse doctor` looks at: a function a subject, which yields what it finds, changes nothing and starts no engine."""

"""The web service: where people bring their history and look at it, and where players send what was played."""

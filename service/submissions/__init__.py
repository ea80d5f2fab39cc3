"""Where players send what was played: an endpoint that speaks ListenBrainz' API, and the journals that it writes."""

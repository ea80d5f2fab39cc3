"""The sections of a listener's page, in order; each module has `section(reader)`."""

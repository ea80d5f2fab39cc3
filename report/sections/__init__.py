"""The sections of a listener's page, in order; each module has `section(reader)`, None for one that is left out."""

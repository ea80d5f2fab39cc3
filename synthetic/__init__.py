"""A model of listeners: who they are, when they listen, what they play, repeat and skip; and how to measure them."""

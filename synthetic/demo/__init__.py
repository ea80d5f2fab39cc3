"""What the demo is made of: a sample of the catalogue, and listeners generated over it."""

"""A seeded synthetic city with known truth."""

"""English, of any country."""

"""Running a hub: serve, back up, restore, watch."""

"""Maps as plain SVG."""

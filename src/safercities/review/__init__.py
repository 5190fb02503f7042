"""The State of Safety review: one self-contained page."""

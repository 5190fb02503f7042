"""The words of the field as types: errors, places, periods, dimensions, code lists, estimates. No input or output."""

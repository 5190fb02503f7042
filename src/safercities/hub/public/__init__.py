"""The public site: what anybody may read of an observatory."""

"""What other machines read and bring."""

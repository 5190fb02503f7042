"""Disclosure control: protect what is published, and attack it to prove the protection."""

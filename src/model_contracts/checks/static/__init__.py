"""Owns checks that read bytes: one file a kind, from an examination to what was compared and what was not."""

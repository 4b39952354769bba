"""Owns the files of other systems: one room a system, which could be deleted whole."""

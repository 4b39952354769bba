"""Generators of inputs that invariants range over; Hypothesis is imported where one is built."""

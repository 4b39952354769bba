"""Reads packed weights: whether their parts are there and whole, and what serves them takes."""

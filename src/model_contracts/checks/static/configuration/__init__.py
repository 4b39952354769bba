"""Owns the checks of declared values, alone and of a pair."""

"""Owns the checks of tokenizers and chat templates, alone and of a pair."""

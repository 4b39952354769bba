"""Owns first drafts of families that are not shipped: names and symbolic shapes, from a class of transformers."""

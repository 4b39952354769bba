"""Owns adapters beside their base: where each factor belongs, and what the base becomes."""

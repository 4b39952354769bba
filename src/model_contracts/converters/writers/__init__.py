"""How each format lays out a model: every byte of its header and the place of every tensor, before a value is read."""

"""Files that are no whole model: what kind they are, and what they owe."""

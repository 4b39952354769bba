"""Named variants of real model files: broken ones with the gates that see them, honest ones that stay quiet."""

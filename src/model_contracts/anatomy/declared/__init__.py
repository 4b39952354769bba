"""What configurations and metadata declare: each key with its counterpart, and a config.json built from keys."""

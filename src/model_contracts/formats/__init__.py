"""A family of readers: each parses one container within bounds; `opening` turns a path into an Artifact."""

"""What executes an artifact: one file a runtime, each in a child process with a time and a memory limit."""

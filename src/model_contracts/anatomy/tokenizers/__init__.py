"""What is known of tokenizers: kinds, sections, pre-tokenizers, special tokens, and one rebuilt from arrays."""

"""A kind of check, a reporter and a runtime, as a third party would give them."""

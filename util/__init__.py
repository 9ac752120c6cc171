"""Parts that any other room may use; imports nothing of theirs."""

"""Discord: a bot with typed commands, buttons that outlive it, and digests posted once."""

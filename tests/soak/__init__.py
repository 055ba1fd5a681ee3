"""The long forms of tests that kill, mutate and damage: `make soak`."""

"""Other frameworks on an agent's memory: one file, one framework, one extra. Each speaks to the agent's public verbs."""

"""Other frameworks on an agent's memory: a file and an extra for each. They use its public verbs."""

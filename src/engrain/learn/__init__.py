"""What to do next, learned from what came of it: rewards, Q-values, back-off, exploration, the Learner."""

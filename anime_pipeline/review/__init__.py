"""What is done with finished takes: choosing, asking again, keeping within budgets, keeping or pruning."""

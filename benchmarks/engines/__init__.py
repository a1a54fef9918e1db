"""The same trained weights in other engines, for comparison."""

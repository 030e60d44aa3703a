"""What happens between steps and epochs."""

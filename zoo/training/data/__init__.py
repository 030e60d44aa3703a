"""What training asks of a kind of data."""

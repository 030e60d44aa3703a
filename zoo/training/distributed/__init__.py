"""Several devices, several processes, and how a run survives."""

"""Layers of the classic papers."""

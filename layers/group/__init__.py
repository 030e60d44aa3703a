"""Layers on group feature maps, and the groups themselves."""

"""Convolutions over time and dyadic scales."""

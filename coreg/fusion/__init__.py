"""Carrying images from one space to the other."""

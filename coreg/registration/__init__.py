"""Placing a pullback in a CCTA: global start, then a differentiable catheter path."""

"""Rounding as people do it, the same on every screen and page."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal

# Every digit of the largest float.
_EXACT = Context(prec=400)


def rounded_text(value: float, digits: int = 2, *, signed: bool = False) -> str:
    """Write a finite number with a fixed number of decimals.

    What lies half-way, as the number is written in decimals, goes away from zero; 1.25 is 1.3, where
    formatting would give 1.2 and 2.675 depend on its last bit. Nothing is a negative zero.

    >>> rounded_text(1.25, 1), rounded_text(-0.004), rounded_text(0.05, 1, signed=True)
    ('1.3', '0.00', '+0.1')
    """
    exact = Decimal(repr(float(value)))
    rounded = exact.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP, context=_EXACT)
    if rounded.is_zero():
        return f"{abs(rounded):f}"
    return f"{rounded:+f}" if signed else f"{rounded:f}"

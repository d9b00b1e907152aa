"""Cohorts: many cases run unattended, resumed, and reported together."""

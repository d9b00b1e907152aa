"""Registers intravascular pullbacks (OCT, IVUS) to coronary CT angiography. For research use only."""

__version__ = "0.1.0"

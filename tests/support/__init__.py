"""Drivers, fakes and measuring tools that tests share; nothing in here is a test."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""
SCENARIO_FOLDER = ROOT / "tests" / "scenarios"
DATA = ROOT / "tests" / "data"

"""How many certificates of medical subsidies (受給者証) one person can use on a day; light to import."""

MOST_SUBSIDIES = 4
"""As many public payers as a claim has room for (第一公費 to 第四公費)."""

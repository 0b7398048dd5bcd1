"""The workshop: benches, scenarios, endurance, figures; no room of the product imports it."""

"""The mock eligibility-confirmation server: certificates, store, HTTP interface."""

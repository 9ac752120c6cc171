"""Pictures, plots, pages and live panels."""

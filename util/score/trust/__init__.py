"""How far a mask can be trusted that nobody has drawn."""

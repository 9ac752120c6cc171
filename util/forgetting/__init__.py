"""What adapted generators learnt, kept and lost."""

"""Give a trained run away on the Hugging Face hub."""

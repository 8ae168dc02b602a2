"""Models: cards, installed models, user models, imported checkpoints."""

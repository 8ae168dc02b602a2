"""What every method makes of one volume, in pictures and numbers."""

"""How each library writes its objective, and the same problem written as another library writes it."""

"""What a scorer says of the pairs: how good the chosen are, how wide the gap, which labels it reverses."""

"""What can be told from the text of pairs alone: no model is needed."""

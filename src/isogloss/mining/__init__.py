"""Finds training and test material in unlabelled text: hard negatives, bitext, questions."""

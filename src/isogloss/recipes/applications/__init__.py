"""Classification, matching, recommendation and other uses of vectors."""

"""Readers and writers of test collections: BEIR folders, TREC files, pairs and labelled texts."""

"""Kinds of tasks, one file each: what is asked of an encoder, and which metrics judge the answer."""

"""What vectors are for beside search: classification heads, segmentation, recommendation."""

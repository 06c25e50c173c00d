"""Systems over sound, images, tables and series."""

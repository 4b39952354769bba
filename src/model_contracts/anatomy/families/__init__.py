"""What is known of an architecture, asked of one artifact: names, layers, sizes, layouts."""

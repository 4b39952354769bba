"""What one system has and another lacks, asked in one place: cores, files by position, processes and their end."""

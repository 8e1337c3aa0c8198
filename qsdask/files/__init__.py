"""Files on disk, whoever writes them: whole or not at all, and by one writer at a time."""

"""What takes time: tasks, their progress, and what becomes of them when a worker dies."""

"""What Registrar's receiver is compared with, each as it would stand in a repository of its own."""

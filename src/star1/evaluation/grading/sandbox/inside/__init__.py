"""What runs inside the sandbox's processes. Standard library only: the interpreter there knows no other package."""

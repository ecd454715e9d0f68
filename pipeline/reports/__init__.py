"""What people read: the feasibility study and its figures."""

"""What is run by hand or by a workflow, and no part of the library."""

"""What is said about a plan before it is carried out. Reads plans and the catalogue; imports no cloud SDK."""

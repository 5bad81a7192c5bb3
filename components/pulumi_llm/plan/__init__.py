"""What a program would make: captured in this process, without engine, account or network."""

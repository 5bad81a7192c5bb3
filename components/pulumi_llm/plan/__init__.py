"""What a program would make: captured in this process, without engine, account or network."""

from pulumi_llm import late_imports

late_imports.install()

"""What a program would make: captured in this process, without engine, account or network."""

from pulumi_llm import _late_imports as late_imports

late_imports.install()

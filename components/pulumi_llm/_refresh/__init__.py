"""Fetches today's prices and offers from the clouds, and writes a catalogue that carries them.

A cloud's folder asks its vendor (`clouds/<name>/refresh`), with the vendor's own SDK, imported when it is used.
What they answer becomes observations (`observed`), which `merge` lays over the data of the package and `store`
writes as a folder that `PULUMI_LLM_CATALOG` can name. Tested with recorded answers, never with a real account.
"""

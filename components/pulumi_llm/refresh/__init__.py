"""Fetches today's prices and offers from the clouds, and writes a catalogue that carries them.

`aws`, `aliyun` and `tencent` ask one vendor each, with the vendor's own SDK, which is imported when it is used.
What they answer becomes observations (`observed`), which `merge` lays over the data of the package and `store`
writes as a folder that `PULUMI_LLM_CATALOG` can name. Tested with recorded answers, never with a real account.
"""

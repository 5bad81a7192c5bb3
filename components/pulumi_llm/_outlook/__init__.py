"""What of a stack ends, and when: vendors' models, support, keys, exceptions, certificates; and what is known against
what its nodes install. All of it is told from data with a source and a date.
"""

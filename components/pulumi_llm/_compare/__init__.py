"""What a model costs a month: on a machine of one's own, at a managed service, by a vendor's API.

Figures are the catalogue's, each with its source and date. What has no price is not known, and stands for nothing.
"""

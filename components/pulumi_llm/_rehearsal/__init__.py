"""A rehearsal's clouds: loopback servers that speak the clouds' own protocols, over the rules and data of `sim`.

`_simcloud` has the rules (stock, quotas, images, ids, refusals); the folders `clouds/<name>/wire` only translate calls
into them and records into answers. So what `sim` refuses, the wire refuses, with the same code. AWS's wire hands on to
moto what those rules let pass.
"""

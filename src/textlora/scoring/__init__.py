"""Score a file of any size: the rows of a table in, the same rows with answers out.

`job.py` reads top to bottom. A file is read in chunks, a chunk is answered and becomes a shard in a
folder beside the output, and the shards become the output when all are there.
"""

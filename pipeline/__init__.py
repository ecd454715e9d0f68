"""What Rayon knows: listings, arrays, and the steps a listing goes through.

Pure Python and numeric libraries; no web, queue, database or network. Read ``domain`` first, then ``steps``.
"""

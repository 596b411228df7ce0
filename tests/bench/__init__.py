"""What Podium costs, as ratios against nginx, a direct connection and a browser started by hand, from one interleaved run.

`make bench` runs it. Nothing here is a test: numbers are printed and nobody asserts them, because a busy neighbor may change
any of them. Every comparison takes turns with what it is compared to, so a machine that slows down slows both.
"""

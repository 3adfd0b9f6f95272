"""What is claimed of speed and memory, and against whom: `python -m benchmarks`, see README.md.

__main__            which sections run, and where their words go
contest             our jobs and the rivals, a row each of the one table; contenders lists them
scaling, chart      cost per row by rows and by organizations, as words and as a picture
memory, batching    peak size; requests against the fewest possible
starting            what a person waits for before anything happens
pace                rates on real sockets, push-back (throttling) and faults: `python -m benchmarks.pace`
watched             a run seen from both ends, and how late the machine was
ours                the program under test
inputs              makes the rows, the same in every run
children            runs a program on one core and tells what it cost
figures, readme     medians, spreads, tables; what was found last
rivals/             what others would use, a file each
server/             the server that all of them talk to, in C
"""

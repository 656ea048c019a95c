"""The graph of a model: values, the nodes between them, and the one walk over both.

value.py   Value, Constant, Input
node.py    Node; what calling a layer on values does
dims.py    what the layers share in computing dims
build.py   the nodes and values of a Model, from its inputs and outputs
walk.py    walk, walk_back: everything that goes over a model goes through these
"""

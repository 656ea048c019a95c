"""What modules of PyTorch hold, for the importer and for sparsenn.torch, which lie above this folder.

tensor.py   a tensor of any kind as an array
state.py    a module in evaluation mode, and afterwards as it was
hooks.py    forward hooks; a parameter as they compute it
"""

"""Recipes: operations with typed operands and many phrasings, expanded into pairs.

`grammar` reads them, `words` has names and numbers to fill them with, `precedence` puts code into code, `expand` draws
pairs, and `noise` adds what people add: openers, typos, capital letters.
"""

package eval

var formatFuncs, jsonFuncs map[string]impl

package eval

var formatFuncs map[string]impl

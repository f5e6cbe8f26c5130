package norm

import "github.com/helios-sql/helios-sql/sql/planner/rel"

var topKRules = []Rule{
	simplifyExprs,
	{"EmptyTopK", emptyTopK},
}

var valuesRules = []Rule{simplifyExprs}

func emptyTopK(_ *normalizer, n rel.Node) rel.Node {
	if t := n.(*rel.TopK); isEmpty(t.Input) {
		return t.Input
	}
	return nil
}

package norm

import "github.com/helios-sql/helios-sql/sql/planner/rel"

var topKRules = []Rule{
	simplifyExprs,
	{"EmptyTopK", emptyTopK},
	{"DropOrder", dropOrder},
}

var valuesRules = []Rule{simplifyExprs}

// dropOrder drops an ordering without a bound: relations have no order.
func dropOrder(_ *normalizer, n rel.Node) rel.Node {
	if t := n.(*rel.TopK); t.Limit == nil && t.Offset == nil {
		return t.Input
	}
	return nil
}

func emptyTopK(_ *normalizer, n rel.Node) rel.Node {
	if t := n.(*rel.TopK); isEmpty(t.Input) {
		return t.Input
	}
	return nil
}

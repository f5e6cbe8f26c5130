package norm

import "github.com/helios-sql/helios-sql/sql/planner/rel"

var distinctRules = []Rule{
	{"EliminateDistinct", eliminateDistinct},
	{"DistinctOfUnion", distinctOfUnion},
}

// eliminateDistinct drops a DISTINCT over rows that a unique key tells apart.
func eliminateDistinct(z *normalizer, n rel.Node) rel.Node {
	d := n.(*rel.Distinct)
	if isEmpty(d.Input) || len(z.memo.Props(d.Input).Keys) > 0 {
		return d.Input
	}
	return nil
}

// distinctOfUnion drops DISTINCTs below the union of a DISTINCT: the upper one does their work.
func distinctOfUnion(_ *normalizer, n rel.Node) rel.Node {
	u, ok := n.(*rel.Distinct).Input.(*rel.Union)
	if !ok {
		return nil
	}
	out := &rel.Union{All: make([]rel.Node, len(u.All))}
	changed := false
	for i, in := range u.All {
		if d, ok := in.(*rel.Distinct); ok {
			in, changed = d.Input, true
		}
		out.All[i] = in
	}
	if !changed {
		return nil
	}
	return &rel.Distinct{Input: out}
}

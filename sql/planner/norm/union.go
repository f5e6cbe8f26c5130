package norm

import "github.com/helios-sql/helios-sql/sql/planner/rel"

var unionRules = []Rule{
	{"MergeUnions", mergeUnions},
	{"DropEmptyUnionInput", dropEmptyUnionInput},
}

// mergeUnions makes one union of nested ones.
func mergeUnions(_ *normalizer, n rel.Node) rel.Node {
	u := n.(*rel.Union)
	out := &rel.Union{}
	for _, in := range u.All {
		if below, ok := in.(*rel.Union); ok {
			out.All = append(out.All, below.All...)
		} else {
			out.All = append(out.All, in)
		}
	}
	if len(out.All) == len(u.All) {
		return nil
	}
	return out
}

func dropEmptyUnionInput(_ *normalizer, n rel.Node) rel.Node {
	u := n.(*rel.Union)
	out := &rel.Union{}
	for _, in := range u.All {
		if !isEmpty(in) {
			out.All = append(out.All, in)
		}
	}
	switch {
	case len(out.All) == 0:
		return empty(u)
	case len(out.All) == 1:
		return out.All[0]
	case len(out.All) == len(u.All):
		return nil
	}
	return out
}

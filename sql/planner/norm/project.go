package norm

import (
	"slices"

	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
)

var projectRules = []Rule{
	{"MergeProjects", mergeProjects},
	simplifyExprs,
	{"DropIdentityProject", dropIdentityProject},
	{"FoldProjectOverValues", foldProjectOverValues},
}

// mergeProjects makes one projection of two.
func mergeProjects(_ *normalizer, n rel.Node) rel.Node {
	p := n.(*rel.Project)
	in, ok := p.Input.(*rel.Project)
	if !ok || !rel.CanInline(p.Exprs, in.Exprs) {
		return nil
	}
	exprs := rel.Map(p.Exprs, func(e scalar.Expr) scalar.Expr { return rel.Substitute(e, in.Exprs) })
	return &rel.Project{Input: in.Input, Exprs: exprs, Names: p.Names}
}

func dropIdentityProject(_ *normalizer, n rel.Node) rel.Node {
	p := n.(*rel.Project)
	s := p.Input.Schema()
	if len(s) != len(p.Exprs) {
		return nil
	}
	for i, e := range p.Exprs {
		if c, ok := e.(*scalar.Column); !ok || c.Index != i || c.Typ != s[i].Type {
			return nil
		}
	}
	return p.Input
}

// foldProjectOverValues computes the rows of a VALUES, where that cannot raise an error.
func foldProjectOverValues(_ *normalizer, n rel.Node) rel.Node {
	p := n.(*rel.Project)
	v, ok := p.Input.(*rel.Values)
	if !ok || slices.ContainsFunc(p.Exprs, func(e scalar.Expr) bool { return !movable(e) }) {
		return nil
	}
	out := &rel.Values{Cols: p.Schema()}
	for _, r := range v.Rows {
		if !rel.CanInline(p.Exprs, r) {
			return nil
		}
		out.Rows = append(out.Rows, rel.Map(p.Exprs, func(e scalar.Expr) scalar.Expr { return rel.Substitute(e, r) }))
	}
	return out
}

package norm

import (
	"slices"

	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
)

var groupByRules = []Rule{
	simplifyExprs,
	{"MergeProjectIntoGroupBy", mergeProjectIntoGroupBy},
	{"EmptyGroupBy", emptyGroupBy},
	{"DropAggregateFilter", dropAggregateFilter},
	{"DropAggregateDistinct", dropAggregateDistinct},
	{"CountRows", countRows},
	{"GroupByToDistinct", groupByToDistinct},
}

// mergeProjectIntoGroupBy computes a projection's columns in the keys and
// arguments that use them.
func mergeProjectIntoGroupBy(_ *normalizer, n rel.Node) rel.Node {
	g := n.(*rel.GroupBy)
	p, ok := g.Input.(*rel.Project)
	if !ok || slices.ContainsFunc(p.Exprs, volatile) {
		return nil
	}
	uses := slices.Clone(g.Keys)
	for _, a := range g.Aggs {
		uses = append(uses, a.Args...)
		if a.Filter != nil {
			uses = append(uses, a.Filter)
		}
	}
	if !rel.CanInline(uses, p.Exprs) {
		return nil
	}
	return rel.TransformExprs(&rel.GroupBy{Input: p.Input, Keys: g.Keys, Aggs: g.Aggs, Names: g.Names},
		func(e scalar.Expr) scalar.Expr { return rel.Substitute(e, p.Exprs) })
}

// emptyGroupBy: no rows, no groups; without keys there is one all the same.
func emptyGroupBy(_ *normalizer, n rel.Node) rel.Node {
	switch g := n.(*rel.GroupBy); {
	case len(g.Keys) > 0 && isEmpty(g.Input):
		return empty(g)
	case len(g.Keys) == 0 && len(g.Aggs) == 0:
		return &rel.Values{Rows: [][]scalar.Expr{{}}}
	}
	return nil
}

// dropAggregateFilter drops FILTER (WHERE true).
func dropAggregateFilter(_ *normalizer, n rel.Node) rel.Node {
	return changeAggs(n, func(a *scalar.Agg) bool {
		if a.Filter == nil {
			return false
		}
		v, null, ok := boolConst(a.Filter)
		if !ok || null || !v {
			return false
		}
		a.Filter = nil
		return true
	})
}

// dropAggregateDistinct drops DISTINCT where repetitions do not count.
func dropAggregateDistinct(_ *normalizer, n rel.Node) rel.Node {
	return changeAggs(n, func(a *scalar.Agg) bool {
		switch a.Fn.Name {
		case "min", "max", "bool_and", "bool_or", "every", "bit_and", "bit_or":
			was := a.Distinct
			a.Distinct = false
			return was
		}
		return false
	})
}

// countRows turns count(x) into count(*) where x is never NULL and cannot raise an error.
func countRows(z *normalizer, n rel.Node) rel.Node {
	star := scalar.AggByID("count(*)")
	notNull := z.inputNotNull(n)
	return changeAggs(n, func(a *scalar.Agg) bool {
		if a.Fn.Name != "count" || len(a.Args) != 1 || a.Distinct || star == nil {
			return false
		}
		switch x := a.Args[0].(type) {
		case *scalar.Column:
			if !notNull[x.Index] {
				return false
			}
		case *scalar.Const:
			if x.Value.Null {
				return false
			}
		default:
			return false
		}
		a.Fn, a.Args = star, nil
		return true
	})
}

// changeAggs rebuilds a grouping if f changes any of its aggregates.
func changeAggs(n rel.Node, f func(*scalar.Agg) bool) rel.Node {
	g := n.(*rel.GroupBy)
	aggs := slices.Clone(g.Aggs)
	changed := false
	for i := range aggs {
		if f(&aggs[i]) {
			changed = true
		}
	}
	if !changed {
		return nil
	}
	return &rel.GroupBy{Input: g.Input, Keys: g.Keys, Aggs: aggs, Names: g.Names}
}

// groupByToDistinct: grouping without aggregates is DISTINCT.
func groupByToDistinct(_ *normalizer, n rel.Node) rel.Node {
	g := n.(*rel.GroupBy)
	if len(g.Aggs) > 0 || len(g.Keys) == 0 {
		return nil
	}
	return &rel.Distinct{Input: &rel.Project{Input: g.Input, Exprs: g.Keys, Names: g.Names}}
}

package norm

import (
	"slices"

	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
)

// pruneRoot drops every column that nothing above reads, so that arrangements
// and groups keep only what is needed. A unique key that is not read goes too.
func (z *normalizer) pruneRoot(n rel.Node) rel.Node {
	n = z.memo.Intern(n)
	out := z.memo.Intern(prune(n, scalar.ColRange(0, len(n.Schema()))))
	if out != n {
		z.trace("PruneColumns")
	}
	return out
}

// prune gives a node whose columns are the needed ones of n, in order.
func prune(n rel.Node, need scalar.ColSet) rel.Node {
	switch n := n.(type) {
	case *rel.Scan:
		return pick(n, scalar.ColRange(0, len(n.Cols)), need)
	case *rel.Values:
		return pruneValues(n, need)
	case *rel.Filter:
		have := union(need, rel.ColsOf(n.Preds...))
		out := &rel.Filter{Input: prune(n.Input, have), Preds: moved(n.Preds, positions(have, len(n.Schema())))}
		return pick(out, have, need)
	case *rel.Project:
		return pruneProject(n, need)
	case *rel.Join:
		return pruneJoin(n, need)
	case *rel.GroupBy:
		return pruneGroupBy(n, need)
	case *rel.Distinct:
		all := scalar.ColRange(0, len(n.Schema()))
		return pick(&rel.Distinct{Input: prune(n.Input, all)}, all, need)
	case *rel.Union:
		out := &rel.Union{All: make([]rel.Node, len(n.All))}
		for i, in := range n.All {
			out.All[i] = prune(in, need)
		}
		return out
	case *rel.TopK:
		have := union(need)
		for _, k := range n.Keys {
			have.AddAll(scalar.Columns(k.Expr))
		}
		at := positions(have, len(n.Schema()))
		out := &rel.TopK{Input: prune(n.Input, have), Limit: n.Limit, Offset: n.Offset, Keys: slices.Clone(n.Keys)}
		for i, k := range n.Keys {
			out.Keys[i].Expr = rel.Remap(k.Expr, at)
		}
		return pick(out, have, need)
	}
	return n
}

func union(sets ...scalar.ColSet) scalar.ColSet {
	var s scalar.ColSet
	for _, t := range sets {
		s.AddAll(t)
	}
	return s
}

// positions gives for each of n columns its place among those of a set.
func positions(s scalar.ColSet, n int) []int {
	at := make([]int, n)
	i := 0
	for c := range s.All() {
		at[c] = i
		i++
	}
	return at
}

func moved(es []scalar.Expr, at []int) []scalar.Expr {
	return rel.Map(es, func(e scalar.Expr) scalar.Expr { return rel.Remap(e, at) })
}

// pick projects a node, whose columns are those of have, to the needed ones.
func pick(n rel.Node, have, need scalar.ColSet) rel.Node {
	var cols []int
	i := 0
	for c := range have.All() {
		if need.Has(c) {
			cols = append(cols, i)
		}
		i++
	}
	if len(cols) == i {
		return n
	}
	return project(n, cols)
}

func pruneValues(n *rel.Values, need scalar.ColSet) rel.Node {
	out := &rel.Values{Rows: make([][]scalar.Expr, len(n.Rows))}
	for c := range need.All() {
		out.Cols = append(out.Cols, n.Cols[c])
		for i, r := range n.Rows {
			out.Rows[i] = append(out.Rows[i], r[c])
		}
	}
	return out
}

func pruneProject(n *rel.Project, need scalar.ColSet) rel.Node {
	out := &rel.Project{}
	for c := range need.All() {
		out.Exprs, out.Names = append(out.Exprs, n.Exprs[c]), append(out.Names, n.Names[c])
	}
	below := rel.ColsOf(out.Exprs...)
	out.Input = prune(n.Input, below)
	out.Exprs = moved(out.Exprs, positions(below, len(n.Input.Schema())))
	return out
}

func pruneJoin(n *rel.Join, need scalar.ColSet) rel.Node {
	nl := len(n.L.Schema())
	all := nl + len(n.R.Schema())
	have := union(need, rel.ColsOf(n.On...))
	var l, r, shown scalar.ColSet
	for c := range have.All() {
		if c < nl {
			l.Add(c)
		} else {
			r.Add(c - nl)
		}
		if c < len(n.Schema()) {
			shown.Add(c)
		}
	}
	out := &rel.Join{Kind: n.Kind, L: prune(n.L, l), R: prune(n.R, r), On: moved(n.On, positions(have, all))}
	return pick(out, shown, need)
}

func pruneGroupBy(n *rel.GroupBy, need scalar.ColSet) rel.Node {
	nk := len(n.Keys)
	have := union(need, scalar.ColRange(0, nk))
	out := &rel.GroupBy{Names: slices.Clone(n.Names[:nk])}
	below := rel.ColsOf(n.Keys...)
	for i, a := range n.Aggs {
		if need.Has(nk + i) {
			out.Aggs, out.Names = append(out.Aggs, a), append(out.Names, n.Names[nk+i])
			below.AddAll(rel.ColsOf(a.Args...))
			below.AddAll(rel.ColsOf(a.Filter))
		}
	}
	at := positions(below, len(n.Input.Schema()))
	out.Input = prune(n.Input, below)
	out.Keys = moved(n.Keys, at)
	for i := range out.Aggs {
		a := &out.Aggs[i]
		a.Args = moved(a.Args, at)
		if a.Filter != nil {
			a.Filter = rel.Remap(a.Filter, at)
		}
	}
	return pick(out, have, need)
}

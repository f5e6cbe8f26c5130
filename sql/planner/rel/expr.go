package rel

import (
	"slices"

	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// ColsOf gives the columns that expressions read.
func ColsOf(es ...scalar.Expr) scalar.ColSet {
	var s scalar.ColSet
	for _, e := range es {
		if e != nil {
			s.AddAll(scalar.Columns(e))
		}
	}
	return s
}

// Substitute replaces each column i by exprs[i].
func Substitute(e scalar.Expr, exprs []scalar.Expr) scalar.Expr {
	return scalar.Rewrite(e, func(e scalar.Expr) scalar.Expr {
		if c, ok := e.(*scalar.Column); ok {
			return exprs[c.Index]
		}
		return e
	})
}

// Remap moves each column i to position to[i].
func Remap(e scalar.Expr, to []int) scalar.Expr {
	return scalar.MapColumns(e, func(i int) int { return to[i] })
}

// Shift moves all columns by a distance.
func Shift(e scalar.Expr, by int) scalar.Expr {
	return scalar.MapColumns(e, func(i int) int { return i + by })
}

// Map applies f to every expression of a list, into a new list.
func Map(es []scalar.Expr, f func(scalar.Expr) scalar.Expr) []scalar.Expr {
	out := make([]scalar.Expr, len(es))
	for i, e := range es {
		out[i] = f(e)
	}
	return out
}

// ColumnExprs gives the columns low…high−1 of a schema as expressions.
func ColumnExprs(s types.Schema, low, high int) []scalar.Expr {
	out := make([]scalar.Expr, 0, high-low)
	for i := low; i < high; i++ {
		out = append(out, &scalar.Column{Index: i, Typ: s[i].Type, Name: s[i].Name})
	}
	return out
}

// Size is the number of nodes of an expression.
func Size(e scalar.Expr) int {
	n := 0
	scalar.Walk(e, func(scalar.Expr) bool { n++; return true })
	return n
}

// InlineLimit bounds the size that expressions reach by being substituted
// into each other: a chain of projections that each use a column twice would double it at every step.
const InlineLimit = 400

// CanInline reports whether the columns of outer may be replaced by exprs:
// no volatile expression is evaluated twice or not at all, and the result stays small.
func CanInline(outer, exprs []scalar.Expr) bool {
	uses := make([]int, len(exprs))
	size := 0
	for _, e := range outer {
		scalar.Walk(e, func(e scalar.Expr) bool {
			size++
			if c, ok := e.(*scalar.Column); ok {
				uses[c.Index]++
				size += Size(exprs[c.Index]) - 1
			}
			return true
		})
	}
	trivial := true
	for i, e := range exprs {
		switch e.(type) {
		case *scalar.Column, *scalar.Const, *scalar.Param:
			continue
		}
		if uses[i] > 1 {
			trivial = false
		}
		if uses[i] != 1 && scalar.VolatilityOf(e) == scalar.Volatile {
			return false
		}
	}
	return trivial || size <= InlineLimit
}

// Equality takes l = r apart where both sides have the same key encoding, so that the
// equality of keys decides it.
func Equality(e scalar.Expr) (l, r scalar.Expr, ok bool) {
	c, ok := e.(*scalar.Call)
	if !ok || !c.Fn.Operator || c.Fn.Name != "=" || len(c.Args) != 2 || c.Fn.Args[0] != c.Fn.Args[1] {
		return nil, nil, false
	}
	l, r = c.Args[0], c.Args[1]
	return l, r, KeyFamily(l.Type().OID) == KeyFamily(r.Type().OID)
}

// KeyFamily maps types whose values have the same key encoding and equality to one of them.
func KeyFamily(t types.OID) types.OID {
	switch t {
	case types.VarChar, types.Name:
		return types.Text
	}
	return t
}

// Conjuncts takes the top-level ANDs of predicates apart.
func Conjuncts(preds []scalar.Expr) []scalar.Expr {
	var out []scalar.Expr
	for _, p := range preds {
		if l, ok := p.(*scalar.Logic); ok && !l.Or {
			out = append(out, Conjuncts(l.Args)...)
		} else {
			out = append(out, p)
		}
	}
	return out
}

// WithInputs gives the node over other inputs; itself if they are the same.
func WithInputs(n Node, in []Node) Node {
	if slices.Equal(n.Inputs(), in) {
		return n
	}
	switch n := n.(type) {
	case *Filter:
		return &Filter{Input: in[0], Preds: n.Preds}
	case *Project:
		return &Project{Input: in[0], Exprs: n.Exprs, Names: n.Names}
	case *Join:
		return &Join{Kind: n.Kind, L: in[0], R: in[1], On: n.On}
	case *GroupBy:
		return &GroupBy{Input: in[0], Keys: n.Keys, Aggs: n.Aggs, Names: n.Names}
	case *Distinct:
		return &Distinct{Input: in[0]}
	case *Union:
		return &Union{All: in}
	case *TopK:
		return &TopK{Input: in[0], Keys: n.Keys, Limit: n.Limit, Offset: n.Offset}
	}
	return n
}

// TransformExprs applies f to every expression of a node itself (not of its inputs);
// the node itself comes back if nothing changed. f must keep types.
func TransformExprs(n Node, f func(scalar.Expr) scalar.Expr) Node {
	all := func(es []scalar.Expr) ([]scalar.Expr, bool) {
		out, changed := es, false
		for i, e := range es {
			if t := f(e); t != e {
				if !changed {
					out, changed = slices.Clone(es), true
				}
				out[i] = t
			}
		}
		return out, changed
	}
	switch x := n.(type) {
	case *Values:
		rows, changed := slices.Clone(x.Rows), false
		for i := range rows {
			var c bool
			rows[i], c = all(rows[i])
			changed = changed || c
		}
		if changed {
			return &Values{Rows: rows, Cols: x.Cols}
		}
	case *Filter:
		if ps, changed := all(x.Preds); changed {
			return &Filter{Input: x.Input, Preds: ps}
		}
	case *Project:
		if es, changed := all(x.Exprs); changed {
			return &Project{Input: x.Input, Exprs: es, Names: x.Names}
		}
	case *Join:
		if on, changed := all(x.On); changed {
			return &Join{Kind: x.Kind, L: x.L, R: x.R, On: on}
		}
	case *GroupBy:
		return transformGroupBy(x, f, all)
	case *TopK:
		return transformTopK(x, f)
	}
	return n
}

func transformGroupBy(x *GroupBy, f func(scalar.Expr) scalar.Expr, all func([]scalar.Expr) ([]scalar.Expr, bool)) Node {
	keys, changed := all(x.Keys)
	aggs := slices.Clone(x.Aggs)
	for i, a := range aggs {
		args, c := all(a.Args)
		aggs[i].Args, changed = args, changed || c
		if a.Filter != nil {
			aggs[i].Filter = f(a.Filter)
			changed = changed || aggs[i].Filter != a.Filter
		}
	}
	if !changed {
		return x
	}
	return &GroupBy{Input: x.Input, Keys: keys, Aggs: aggs, Names: x.Names}
}

func transformTopK(x *TopK, f func(scalar.Expr) scalar.Expr) Node {
	keys := slices.Clone(x.Keys)
	t := &TopK{Input: x.Input, Keys: keys, Limit: x.Limit, Offset: x.Offset}
	changed := false
	for i := range keys {
		keys[i].Expr = f(x.Keys[i].Expr)
		changed = changed || keys[i].Expr != x.Keys[i].Expr
	}
	if x.Limit != nil {
		t.Limit = f(x.Limit)
		changed = changed || t.Limit != x.Limit
	}
	if x.Offset != nil {
		t.Offset = f(x.Offset)
		changed = changed || t.Offset != x.Offset
	}
	if !changed {
		return x
	}
	return t
}

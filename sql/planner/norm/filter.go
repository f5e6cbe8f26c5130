package norm

import (
	"slices"

	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

var filterRules = []Rule{
	{"MergeFilters", mergeFilters},
	simplifyExprs,
	{"SimplifyFilter", simplifyFilter},
	{"EmptyFilter", emptyFilter},
	{"PushFilterIntoProject", pushFilterIntoProject},
	{"SimplifyOuterJoin", simplifyOuterJoinBelowFilter},
	{"LeftJoinToAnti", leftJoinToAnti},
	{"PushFilterIntoJoin", pushFilterIntoJoin},
	{"PushFilterIntoGroupBy", pushFilterIntoGroupBy},
	{"PushFilterIntoDistinct", pushFilterIntoDistinct},
	{"PushFilterIntoUnion", pushFilterIntoUnion},
}

// mergeFilters makes one filter of two; the lower one's predicates come first.
func mergeFilters(_ *normalizer, n rel.Node) rel.Node {
	f := n.(*rel.Filter)
	if in, ok := f.Input.(*rel.Filter); ok {
		return &rel.Filter{Input: in.Input, Preds: slices.Concat(in.Preds, f.Preds)}
	}
	return nil
}

// simplifyFilter takes ANDs apart, drops what is true, and turns what cannot be true
// into no rows.
func simplifyFilter(_ *normalizer, n rel.Node) rel.Node {
	f := n.(*rel.Filter)
	preds, possible := conjuncts(f.Preds)
	switch {
	case !possible:
		return empty(f)
	case len(preds) > 0 && slices.Equal(preds, f.Preds):
		return nil
	}
	return filter(f.Input, preds)
}

func emptyFilter(_ *normalizer, n rel.Node) rel.Node {
	if f := n.(*rel.Filter); isEmpty(f.Input) {
		return f.Input
	}
	return nil
}

// pushFilterIntoProject filters before projecting: on the same rows, so that errors may move too.
func pushFilterIntoProject(_ *normalizer, n rel.Node) rel.Node {
	f := n.(*rel.Filter)
	p, ok := f.Input.(*rel.Project)
	if !ok || !rel.CanInline(f.Preds, p.Exprs) || slices.ContainsFunc(p.Exprs, volatile) {
		return nil
	}
	preds := rel.Map(f.Preds, func(e scalar.Expr) scalar.Expr { return rel.Substitute(e, p.Exprs) })
	return &rel.Project{Input: &rel.Filter{Input: p.Input, Preds: preds}, Exprs: p.Exprs, Names: p.Names}
}

func volatile(e scalar.Expr) bool { return scalar.VolatilityOf(e) == scalar.Volatile }

// movable says that a predicate may be evaluated on other rows than it was.
func movable(e scalar.Expr) bool { return !scalar.CanError(e) && !volatile(e) }

// pushFilterIntoJoin moves predicates to the side that they speak of, where
// that side's rows are not made up by the join, and into an inner join's condition.
func pushFilterIntoJoin(_ *normalizer, n rel.Node) rel.Node {
	f := n.(*rel.Filter)
	j, ok := f.Input.(*rel.Join)
	if !ok {
		return nil
	}
	nl := len(j.L.Schema())
	all := nl + len(j.R.Schema())
	toLeft := j.Kind != rel.Right && j.Kind != rel.Full
	toRight := j.Kind == rel.Inner || j.Kind == rel.Right
	var l, r, on, keep []scalar.Expr
	for _, p := range f.Preds {
		cols := scalar.Columns(p)
		switch {
		case toLeft && movable(p) && cols.SubsetOf(scalar.ColRange(0, nl)):
			l = append(l, p)
		case toRight && movable(p) && cols.SubsetOf(scalar.ColRange(nl, all)):
			r = append(r, rel.Shift(p, -nl))
		case j.Kind == rel.Inner && !volatile(p):
			on = append(on, p)
		default:
			keep = append(keep, p)
		}
	}
	if len(keep) == len(f.Preds) {
		return nil
	}
	return filter(&rel.Join{Kind: j.Kind, L: filter(j.L, l), R: filter(j.R, r), On: slices.Concat(j.On, on)}, keep)
}

// leftJoinToAnti: where a column of the right side that is never NULL must be
// NULL, only rows without a match are left.
func leftJoinToAnti(z *normalizer, n rel.Node) rel.Node {
	f := n.(*rel.Filter)
	j, ok := f.Input.(*rel.Join)
	if !ok || j.Kind != rel.Left {
		return nil
	}
	nl := len(j.L.Schema())
	right := z.memo.Props(j.R).NotNull
	for i, p := range f.Preds {
		is, ok := p.(*scalar.IsNull)
		if !ok || is.Neg {
			continue
		}
		if c, ok := is.X.(*scalar.Column); ok && c.Index >= nl && right[c.Index-nl] {
			anti := nullExtended(&rel.Join{Kind: rel.Anti, L: j.L, R: j.R, On: j.On}, nil, j.R.Schema())
			return filter(anti, slices.Delete(slices.Clone(f.Preds), i, i+1))
		}
	}
	return nil
}

// pushFilterIntoGroupBy moves predicates on grouping keys below the grouping.
func pushFilterIntoGroupBy(_ *normalizer, n rel.Node) rel.Node {
	f := n.(*rel.Filter)
	g, ok := f.Input.(*rel.GroupBy)
	if !ok || len(g.Keys) == 0 || slices.ContainsFunc(g.Keys, volatile) {
		return nil
	}
	keys := scalar.ColRange(0, len(g.Keys))
	s := g.Schema()
	exact := func(c int) bool { return exactType(s[c].Type.OID) }
	var down, keep []scalar.Expr
	for _, p := range f.Preds {
		// The substituted keys may raise errors: they are evaluated on these rows anyway.
		if movable(p) && scalar.Columns(p).SubsetOf(keys) && !scalar.Columns(p).Empty() && respectsEquality(p, exact) {
			down = append(down, rel.Substitute(p, g.Keys))
		} else {
			keep = append(keep, p)
		}
	}
	if len(down) == 0 {
		return nil
	}
	return filter(&rel.GroupBy{Input: filter(g.Input, down), Keys: g.Keys, Aggs: g.Aggs, Names: g.Names}, keep)
}

// pushFilterIntoDistinct filters first: equal rows pass or fail together, unless the
// predicate tells apart what SQL holds equal (numeric 1.0 and 1.00 as text).
func pushFilterIntoDistinct(_ *normalizer, n rel.Node) rel.Node {
	f := n.(*rel.Filter)
	d, ok := f.Input.(*rel.Distinct)
	if !ok {
		return nil
	}
	s := d.Schema()
	var down, keep []scalar.Expr
	for _, p := range f.Preds {
		if movable(p) && respectsEquality(p, func(c int) bool { return exactType(s[c].Type.OID) }) {
			down = append(down, p)
		} else {
			keep = append(keep, p)
		}
	}
	if len(down) == 0 {
		return nil
	}
	return filter(&rel.Distinct{Input: filter(d.Input, down)}, keep)
}

// pushFilterIntoUnion filters each input.
func pushFilterIntoUnion(_ *normalizer, n rel.Node) rel.Node {
	f := n.(*rel.Filter)
	u, ok := f.Input.(*rel.Union)
	if !ok || slices.ContainsFunc(f.Preds, volatile) {
		return nil
	}
	out := &rel.Union{All: make([]rel.Node, len(u.All))}
	for i, in := range u.All {
		out.All[i] = &rel.Filter{Input: in, Preds: f.Preds}
	}
	return out
}

// exactType says that values of the type are equal in SQL only when their bytes are.
func exactType(t types.OID) bool {
	switch t {
	case types.Bool, types.Bytea, types.Char, types.Name, types.Int8, types.Int2, types.Int4, types.Text,
		types.OIDType, types.VarChar, types.Date, types.Time, types.Timestamp, types.TimestampTZ, types.UUID:
		return true
	}
	return false
}

// respectsEquality reports whether a predicate gives one answer for all rows
// that SQL holds equal: columns of inexact types are only compared.
func respectsEquality(e scalar.Expr, exact func(col int) bool) bool {
	switch x := e.(type) {
	case *scalar.Column:
		return exact(x.Index)
	case *scalar.Call:
		if x.Fn.Operator {
			switch x.Fn.Name {
			case "=", "<>", "<", "<=", ">", ">=":
				return operandsRespect(x.Args, exact)
			}
		}
	case *scalar.InList, *scalar.IsNull, *scalar.Distinct:
		return operandsRespect(scalar.Children(e), exact)
	}
	for _, c := range scalar.Children(e) {
		if !respectsEquality(c, exact) {
			return false
		}
	}
	return true
}

// operandsRespect is respectsEquality for operands of a comparison, which may be any columns.
func operandsRespect(args []scalar.Expr, exact func(col int) bool) bool {
	for _, a := range args {
		if _, ok := a.(*scalar.Column); !ok && !respectsEquality(a, exact) {
			return false
		}
	}
	return true
}

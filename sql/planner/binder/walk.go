package binder

import (
	"bytes"
	"slices"

	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// An aggRef stands for an aggregate in an expression until grouping replaces
// it by a column.
type aggRef struct {
	agg scalar.Agg
	typ types.Type
}

// Type is the aggregate's result type.
func (a *aggRef) Type() types.Type { return a.typ }

// rewrite rebuilds an expression. f sees each node before its parts; what it
// returns non-nil replaces the node whole. Aggregates are not entered.
func (b *Binder) rewrite(e scalar.Expr, f func(scalar.Expr) scalar.Expr) scalar.Expr {
	if r := f(e); r != nil {
		return r
	}
	list := func(es []scalar.Expr) []scalar.Expr {
		out := make([]scalar.Expr, len(es))
		for i, x := range es {
			out[i] = b.rewrite(x, f)
		}
		return out
	}
	var r scalar.Expr
	switch e := e.(type) {
	case *scalar.Call:
		c := *e
		c.Args = list(e.Args)
		r = &c
	case *scalar.Logic:
		r = &scalar.Logic{Or: e.Or, Args: list(e.Args)}
	case *scalar.Not:
		r = &scalar.Not{X: b.rewrite(e.X, f)}
	case *scalar.IsNull:
		r = &scalar.IsNull{X: b.rewrite(e.X, f), Neg: e.Neg}
	case *scalar.IsBool:
		r = &scalar.IsBool{X: b.rewrite(e.X, f), Want: e.Want, Neg: e.Neg}
	case *scalar.Distinct:
		r = &scalar.Distinct{L: b.rewrite(e.L, f), R: b.rewrite(e.R, f), Eq: e.Eq, Neg: e.Neg}
	case *scalar.Case:
		c := &scalar.Case{Typ: e.Typ}
		for _, w := range e.Whens {
			c.Whens = append(c.Whens, scalar.When{Cond: b.rewrite(w.Cond, f), Result: b.rewrite(w.Result, f)})
		}
		if e.Else != nil {
			c.Else = b.rewrite(e.Else, f)
		}
		r = c
	case *scalar.Coalesce:
		r = &scalar.Coalesce{Args: list(e.Args), Typ: e.Typ}
	case *scalar.MinMax:
		r = &scalar.MinMax{Greatest: e.Greatest, Args: list(e.Args), Typ: e.Typ}
	case *scalar.InList:
		c := *e
		c.X = b.rewrite(e.X, f)
		r = &c
	default:
		return e
	}
	return b.put(r, b.pos(e))
}

// children lists the direct parts of an expression.
func children(e scalar.Expr) []scalar.Expr {
	a, ok := e.(*aggRef)
	switch {
	case !ok:
		return scalar.Children(e)
	case a.agg.Filter != nil:
		return append(slices.Clone(a.agg.Args), a.agg.Filter)
	}
	return a.agg.Args
}

// find gives the first node, in pre-order, that f accepts; nil if none.
func find(e scalar.Expr, f func(scalar.Expr) bool) scalar.Expr {
	if f(e) {
		return e
	}
	for _, c := range children(e) {
		if r := find(c, f); r != nil {
			return r
		}
	}
	return nil
}

func isAgg(e scalar.Expr) bool    { _, ok := e.(*aggRef); return ok }
func isColumn(e scalar.Expr) bool { _, ok := e.(*scalar.Column); return ok }

// volatile gives the first volatile function in an expression.
func volatile(e scalar.Expr) *scalar.Func {
	r := find(e, func(e scalar.Expr) bool {
		c, ok := e.(*scalar.Call)
		return ok && c.Fn.Volatility == scalar.Volatile
	})
	if r == nil {
		return nil
	}
	return r.(*scalar.Call).Fn
}

// shift moves all column positions by n, in a copy.
func (b *Binder) shift(e scalar.Expr, n int) scalar.Expr {
	return b.rewrite(e, func(e scalar.Expr) scalar.Expr {
		c, ok := e.(*scalar.Column)
		if !ok {
			return nil
		}
		m := *c
		m.Index += n
		return b.put(&m, b.pos(c))
	})
}

// equal reports whether two expressions are the same but for where they stand.
func equal(x, y scalar.Expr) bool {
	if x.Type().OID != y.Type().OID {
		return false
	}
	switch x := x.(type) {
	case *scalar.Column:
		y, ok := y.(*scalar.Column)
		return ok && x.Index == y.Index
	case *scalar.Const:
		y, ok := y.(*scalar.Const)
		return ok && x.Typ == y.Typ && x.Value.I == y.Value.I && x.Value.Null == y.Value.Null && bytes.Equal(x.Value.B, y.Value.B)
	case *scalar.Param:
		y, ok := y.(*scalar.Param)
		return ok && *x == *y
	case *scalar.Call:
		y, ok := y.(*scalar.Call)
		return ok && x.Fn == y.Fn && equalAll(x.Args, y.Args)
	case *scalar.Logic:
		y, ok := y.(*scalar.Logic)
		return ok && x.Or == y.Or && equalAll(x.Args, y.Args)
	case *scalar.Not:
		y, ok := y.(*scalar.Not)
		return ok && equal(x.X, y.X)
	case *scalar.IsNull:
		y, ok := y.(*scalar.IsNull)
		return ok && x.Neg == y.Neg && equal(x.X, y.X)
	case *scalar.IsBool:
		y, ok := y.(*scalar.IsBool)
		return ok && x.Neg == y.Neg && x.Want == y.Want && equal(x.X, y.X)
	case *scalar.Distinct:
		y, ok := y.(*scalar.Distinct)
		return ok && x.Neg == y.Neg && x.Eq == y.Eq && equal(x.L, y.L) && equal(x.R, y.R)
	case *scalar.Case:
		y, ok := y.(*scalar.Case)
		return ok && len(x.Whens) == len(y.Whens) && (x.Else == nil) == (y.Else == nil) && equalAll(children(x), children(y))
	case *scalar.Coalesce:
		y, ok := y.(*scalar.Coalesce)
		return ok && equalAll(x.Args, y.Args)
	case *scalar.MinMax:
		y, ok := y.(*scalar.MinMax)
		return ok && x.Greatest == y.Greatest && equalAll(x.Args, y.Args)
	case *scalar.InList:
		y, ok := y.(*scalar.InList)
		return ok && x.Neg == y.Neg && x.HasNull == y.HasNull && equal(x.X, y.X) &&
			slices.EqualFunc(x.List, y.List, func(a, b types.Datum) bool { return a.I == b.I && bytes.Equal(a.B, b.B) })
	case *aggRef:
		y, ok := y.(*aggRef)
		return ok && x.agg.Fn == y.agg.Fn && x.agg.Distinct == y.agg.Distinct &&
			(x.agg.Filter == nil) == (y.agg.Filter == nil) && equalAll(children(x), children(y))
	}
	return false
}

func equalAll(x, y []scalar.Expr) bool { return slices.EqualFunc(x, y, equal) }

// withType gives e another type of the same representation.
func (b *Binder) withType(e scalar.Expr, t types.Type) scalar.Expr {
	if e.Type() == t {
		return e
	}
	var r scalar.Expr
	switch e := e.(type) {
	case *scalar.Column:
		c := *e
		c.Typ = t
		r = &c
	case *scalar.Const:
		c := *e
		c.Typ = t
		r = &c
	case *scalar.Param:
		c := *e
		c.Typ = t
		r = &c
	case *scalar.Call:
		c := *e
		c.Typ = t
		r = &c
	case *scalar.Case:
		c := *e
		c.Typ = t
		r = &c
	case *scalar.Coalesce:
		c := *e
		c.Typ = t
		r = &c
	case *scalar.MinMax:
		c := *e
		c.Typ = t
		r = &c
	case *aggRef:
		c := *e
		c.typ = t
		r = &c
	default:
		return e // a boolean has no other type of its representation
	}
	return b.put(r, b.pos(e))
}

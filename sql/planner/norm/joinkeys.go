package norm

import (
	"slices"

	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// equi takes an equality apart for use as a join key; sides of different types are cast to
// the one that holds both. Not every operator named = is one: where no cast
// keeps its meaning, it stays a condition.
func equi(e scalar.Expr) (l, r scalar.Expr, ok bool) {
	if l, r, ok = rel.Equality(e); ok {
		return l, r, true
	}
	c, isCall := e.(*scalar.Call)
	if !isCall || !c.Fn.Operator || c.Fn.Name != "=" || len(c.Args) != 2 || c.Fn.Args[0] == c.Fn.Args[1] {
		return nil, nil, false
	}
	a, b := c.Fn.Args[0], c.Fn.Args[1]
	if cast := exactCast(a, b); cast != nil {
		return &scalar.Call{Fn: cast, Args: c.Args[:1], Typ: types.T(b)}, c.Args[1], true
	}
	if cast := exactCast(b, a); cast != nil {
		return c.Args[0], &scalar.Call{Fn: cast, Args: c.Args[1:], Typ: types.T(a)}, true
	}
	return nil, nil, false
}

// exactCast gives a cast under which different values stay different and that
// never fails.
func exactCast(from, to types.OID) *scalar.Func {
	rank := []types.OID{types.Int2, types.Int4, types.Int8}
	f, t := slices.Index(rank, from), slices.Index(rank, to)
	if !(f >= 0 && t > f) && !(from == types.Float4 && to == types.Float8) {
		return nil
	}
	method, fn := scalar.FindCast(from, to, scalar.ImplicitCast)
	if method != scalar.FuncCast {
		return nil
	}
	return fn
}

// equalityOf gives the operator t = t.
func equalityOf(t types.OID) *scalar.Func {
	for _, f := range scalar.Operators("=") {
		if len(f.Args) == 2 && f.Args[0] == t && f.Args[1] == t {
			return f
		}
	}
	return nil
}

// splitKeys makes every join key a column: a projection below the join computes
// what is an expression.
func (z *normalizer) splitKeys(n rel.Node) rel.Node {
	done := map[rel.Node]rel.Node{}
	var walk func(n rel.Node) rel.Node
	walk = func(n rel.Node) rel.Node {
		if out, ok := done[n]; ok {
			return out
		}
		old := n.Inputs()
		in := make([]rel.Node, len(old))
		for i, c := range old {
			in[i] = walk(c)
		}
		out := rel.WithInputs(n, in)
		if j, ok := out.(*rel.Join); ok {
			if next := splitJoin(j); next != nil {
				z.trace("SplitJoinKeys")
				out = next
			}
		}
		done[n] = out
		return out
	}
	return walk(n)
}

// A side is an input of a join with the expressions that become columns of it.
type side struct {
	in    rel.Node
	extra []scalar.Expr
}

// column gives the position of an expression over the side's columns, adding it if need be.
func (s *side) column(e scalar.Expr) int {
	if c, ok := e.(*scalar.Column); ok {
		return c.Index
	}
	w := len(s.in.Schema())
	for i, x := range s.extra {
		if scalar.Equal(x, e) {
			return w + i
		}
	}
	s.extra = append(s.extra, e)
	return w + len(s.extra) - 1
}

func (s *side) node() rel.Node {
	if len(s.extra) == 0 {
		return s.in
	}
	p := project(s.in, span(0, len(s.in.Schema()))).(*rel.Project)
	for _, e := range s.extra {
		p.Exprs, p.Names = append(p.Exprs, e), append(p.Names, "key")
	}
	return p
}

func splitJoin(j *rel.Join) rel.Node {
	nl, nr := len(j.L.Schema()), len(j.R.Schema())
	l, r := &side{in: j.L}, &side{in: j.R}
	type key struct{ l, r int }
	keys := make([]*key, len(j.On))
	for _, errs := range []bool{false, true} {
		for i, p := range j.On {
			a, b, ok := equi(p)
			if !ok || volatile(p) || (movable(a) && movable(b)) == errs {
				continue
			}
			if over(b, tree{cols: span(0, nl)}) {
				a, b = b, a
			}
			if over(a, tree{cols: span(0, nl)}) && over(b, tree{cols: span(nl, nl+nr)}) {
				keys[i] = &key{l.column(a), r.column(rel.Shift(b, -nl))}
			}
		}
		if slices.ContainsFunc(keys, func(k *key) bool { return k != nil }) {
			break
		}
	}
	if len(l.extra)+len(r.extra) == 0 {
		return nil
	}
	ln, rn := l.node(), r.node()
	ls, rs := ln.Schema(), rn.Schema()
	to := append(span(0, nl), span(len(ls), len(ls)+nr)...)
	out := &rel.Join{Kind: j.Kind, L: ln, R: rn}
	for i, p := range j.On {
		k := keys[i]
		if k == nil {
			out.On = append(out.On, rel.Remap(p, to))
			continue
		}
		c := p.(*scalar.Call)
		fn := c.Fn
		if fn.Args[0] != fn.Args[1] {
			fn = equalityOf(ls[k.l].Type.OID)
		}
		out.On = append(out.On, &scalar.Call{Fn: fn, Typ: c.Typ, Pos: c.Pos, Args: []scalar.Expr{
			&scalar.Column{Index: k.l, Typ: ls[k.l].Type, Name: ls[k.l].Name},
			&scalar.Column{Index: len(ls) + k.r, Typ: rs[k.r].Type, Name: rs[k.r].Name},
		}})
	}
	return rename(project(out, to[:len(j.Schema())]), j.Schema())
}

package binder

import (
	"strconv"

	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// setOp binds a tree of set operations with its ORDER BY, which can only name columns.
func (s *scope) setOp(q *ast.Select, op *ast.SetOp) *query {
	node, cols := s.union(op)
	out := &query{}
	top := s.b.newScope(s)
	f := top.add(node, cols, nil, ast.Alias{}, "")
	f.top.relVisible, f.top.join = false, true
	top.items = f.items
	var targets []target
	if len(cols) > 0 {
		targets = top.star(nil, 0)
	}
	n := len(targets)
	order := top.orderBy(q.OrderBy, &targets)
	if len(targets) > n {
		fail(pgerr.Newf(pgerr.FeatureNotSupported, "invalid UNION/INTERSECT/EXCEPT ORDER BY clause").
			WithDetail("Only result column names can be used, not expressions or functions.").
			WithHint("Add the expression/function to every SELECT, or move the UNION into a FROM clause.").
			At(top.b.pos(targets[n].expr)))
	}
	top.limits(q, out)
	top.finish(out, node, targets, order)
	out.node, out.cols = node, cols
	return out
}

// union binds UNION and UNION ALL.
func (s *scope) union(op *ast.SetOp) (rel.Node, []outCol) {
	defer s.b.enter()()
	if op.Kind != "union" {
		unsupported(op.Pos, "%s", map[string]string{"intersect": "INTERSECT", "except": "EXCEPT"}[op.Kind])
	}
	l, lcols := s.unionSide(op.L)
	r, rcols := s.unionSide(op.R)
	if len(lcols) != len(rcols) {
		pos := 0
		if len(rcols) > 0 {
			pos = rcols[0].pos
		}
		failf(pgerr.SyntaxError, pos, "each UNION query must have the same number of columns")
	}
	cols := make([]outCol, len(lcols))
	ts := make([]types.Type, len(lcols))
	for i := range cols {
		le, re := &scalar.Column{Typ: lcols[i].typ}, &scalar.Column{Typ: rcols[i].typ}
		s.b.put(le, lcols[i].pos)
		s.b.put(re, rcols[i].pos)
		ts[i] = types.Type{OID: s.b.commonType([]scalar.Expr{le, re}, "UNION"), Mod: -1}
		for _, e := range []scalar.Expr{le, re} {
			if !canCoerce(e.Type().OID, ts[i].OID, scalar.ImplicitCast) {
				s.b.toCommon(e, ts[i].OID, "UNION")
			}
		}
		if lcols[i].typ == rcols[i].typ && lcols[i].typ.OID == ts[i].OID {
			ts[i].Mod = lcols[i].typ.Mod
		}
		if !op.All {
			s.b.equality(ts[i].OID, lcols[i].pos)
		}
		cols[i] = outCol{name: lcols[i].name, typ: ts[i], pos: lcols[i].pos}
	}
	l, r = s.b.retype(l, ts), s.b.retype(r, ts)
	u := &rel.Union{}
	if lu, ok := l.(*rel.Union); ok {
		u.All = append(append(u.All, lu.All...), r)
	} else {
		u.All = []rel.Node{l, r}
	}
	if op.All {
		return u, cols
	}
	return &rel.Distinct{Input: u}, cols
}

// unionSide binds one side: a set operation within, or any query.
func (s *scope) unionSide(q *ast.Select) (rel.Node, []outCol) {
	if op, ok := q.Body.(*ast.SetOp); ok && q.With == nil && q.OrderBy == nil && q.Limit == nil && q.Offset == nil {
		return s.union(op)
	}
	r := s.b.query(q, s, true)
	it := &item{alias: "*SELECT* " + strconv.Itoa(len(s.tables)+1)}
	for _, c := range r.cols {
		it.cols = append(it.cols, itemCol{name: c.name})
	}
	s.tables = append(s.tables, it) // for hints only
	return r.relation(s.b), r.cols
}

// retype converts a relation's columns to the given types.
func (b *Binder) retype(n rel.Node, ts []types.Type) rel.Node {
	schema := n.Schema()
	same := true
	for i, c := range schema {
		same = same && c.Type == ts[i]
		if c.Type.OID == types.Unknown {
			n = b.settle(n, i, ts[i].OID)
		}
	}
	if same {
		return n
	}
	p := &rel.Project{Input: n}
	if under, ok := n.(*rel.Project); ok {
		p.Input, p.Names = under.Input, under.Names
		p.Exprs = append(p.Exprs, under.Exprs...)
	} else {
		for i, c := range n.Schema() {
			p.Exprs = append(p.Exprs, &scalar.Column{Index: i, Typ: c.Type, Name: c.Name})
			p.Names = append(p.Names, c.Name)
		}
	}
	for i := range p.Exprs {
		p.Exprs[i] = b.withType(b.coerceOID(p.Exprs[i], ts[i].OID, scalar.ImplicitCast), ts[i])
	}
	return p
}

// settle gives the unknown literal or parameter that is column i of a query its type.
func (b *Binder) settle(n rel.Node, i int, t types.OID) rel.Node {
	switch n := n.(type) {
	case *rel.TopK:
		c := *n
		c.Input = b.settle(n.Input, i, t)
		return &c
	case *rel.Project:
		c := *n
		c.Exprs = append([]scalar.Expr(nil), n.Exprs...)
		if col, ok := c.Exprs[i].(*scalar.Column); ok {
			c.Input = b.settle(n.Input, col.Index, t)
			c.Exprs[i] = b.withType(col, types.T(t))
		} else {
			c.Exprs[i] = b.coerceOID(c.Exprs[i], t, scalar.ImplicitCast)
		}
		return &c
	}
	return n
}

package binder

import (
	"slices"

	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// groupBy binds GROUP BY and gives the grouping expressions.
func (s *scope) groupBy(list []ast.Expr, targets *[]target) []scalar.Expr {
	var keys []scalar.Expr
	for _, e := range list {
		switch x := e.(type) {
		case *ast.GroupingSet:
			unsupported(x.Pos, "grouping sets")
		case *ast.RowExpr:
			for _, k := range s.groupBy(x.Elems, targets) {
				keys = addKey(keys, k)
			}
			continue
		}
		n := len(*targets)
		var i int
		s.in(inGroupBy, func() { i = s.findTarget(e, targets, inGroupBy) })
		t := &(*targets)[i]
		t.expr = s.b.textual(t.expr)
		s.b.equality(t.expr.Type().OID, int(e.Position()))
		keys = addKey(keys, t.expr)
		*targets = (*targets)[:n] // a grouping expression that is not selected is no column
	}
	return keys
}

func addKey(keys []scalar.Expr, k scalar.Expr) []scalar.Expr {
	if slices.ContainsFunc(keys, func(o scalar.Expr) bool { return equal(o, k) }) {
		return keys
	}
	return append(keys, k)
}

// group puts a GroupBy on node and makes the targets and HAVING expressions
// over its output. 42803 for a column that is neither grouped nor aggregated.
func (s *scope) group(node rel.Node, keys []scalar.Expr, targets []target, having []scalar.Expr) (rel.Node, []scalar.Expr) {
	g := &grouping{s: s, keys: keys}
	for _, t := range targets {
		g.check(t.expr)
	}
	for _, e := range having {
		g.check(e)
	}
	for i := range targets {
		targets[i].expr = g.rewrite(targets[i].expr)
	}
	for i := range having {
		having[i] = g.rewrite(having[i])
	}
	n := &rel.GroupBy{Input: node, Keys: g.keys, Aggs: g.aggs, Names: []string{}}
	for _, k := range g.keys {
		name := ""
		if c, ok := k.(*scalar.Column); ok {
			name = c.Name
		}
		n.Names = append(n.Names, name)
	}
	for _, a := range g.aggs {
		n.Names = append(n.Names, a.Fn.Name)
	}
	return n, having
}

// A grouping collects what a GroupBy puts out.
type grouping struct {
	s    *scope
	keys []scalar.Expr
	aggs []scalar.Agg
}

// check finds columns outside of keys and aggregates. One that a grouped
// primary key determines becomes a key itself; any other is an error.
func (g *grouping) check(e scalar.Expr) {
	if g.key(e) >= 0 || isAgg(e) {
		return
	}
	if c, ok := e.(*scalar.Column); ok {
		info := g.s.cols[c.Index]
		if !g.determined(info.table) {
			failf(pgerr.GroupingError, g.s.b.pos(e),
				"column \"%s.%s\" must appear in the GROUP BY clause or be used in an aggregate function", info.table.alias, info.name)
		}
		g.keys = append(g.keys, c)
		return
	}
	for _, c := range children(e) {
		g.check(c)
	}
}

// determined reports whether the table's primary key is grouped.
func (g *grouping) determined(it *item) bool {
	r := it.rel
	if r == nil || len(r.Key) == 0 || r.Kind != catalog.Table && r.Kind != catalog.SourceTable {
		return false
	}
	for _, k := range r.Key {
		if g.key(&scalar.Column{Index: it.first + k, Typ: r.Columns[k].Type}) < 0 {
			return false
		}
	}
	return true
}

// key gives the position of the key that e equals, −1 if none.
func (g *grouping) key(e scalar.Expr) int {
	if _, ok := e.(*scalar.Const); ok {
		return -1
	}
	return slices.IndexFunc(g.keys, func(k scalar.Expr) bool {
		if k.Type().OID == e.Type().OID {
			return equal(k, e)
		}
		// A relabelled expression contains the grouped one, but not the reverse.
		return g.s.plain(k) && equal(k, g.s.b.withType(e, k.Type()))
	})
}

// plain reports whether an expression has its own type, not one put on it.
func (s *scope) plain(e scalar.Expr) bool {
	switch e := e.(type) {
	case *scalar.Column:
		return e.Typ == s.cols[e.Index].typ
	case *scalar.Call:
		return e.Typ.OID == e.Fn.Ret || e.Fn.Ret == types.AnyElement
	}
	return true
}

func (g *grouping) rewrite(e scalar.Expr) scalar.Expr {
	return g.s.b.rewrite(e, func(e scalar.Expr) scalar.Expr {
		if i := g.key(e); i >= 0 {
			c := &scalar.Column{Index: i, Typ: e.Type()}
			if k, ok := g.keys[i].(*scalar.Column); ok {
				c.Name = k.Name
			}
			return g.s.b.put(c, g.s.b.pos(e))
		}
		a, ok := e.(*aggRef)
		if !ok {
			return nil
		}
		i := slices.IndexFunc(g.aggs, func(o scalar.Agg) bool { return equal(&aggRef{agg: o, typ: a.typ}, a) })
		if i < 0 {
			i = len(g.aggs)
			g.aggs = append(g.aggs, a.agg)
		}
		return g.s.b.put(&scalar.Column{Index: len(g.keys) + i, Typ: a.typ, Name: a.agg.Fn.Name}, g.s.b.pos(e))
	})
}

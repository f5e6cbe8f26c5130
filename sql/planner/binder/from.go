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

// A fromItem is a bound item of FROM.
type fromItem struct {
	node  rel.Node
	top   *item   // the item itself
	items []*item // all that can be named, top among them
	base  int     // position of its first column in the scope's row
}

// oneRow is the relation of a query without FROM.
func oneRow() rel.Node { return &rel.Values{Rows: [][]scalar.Expr{{}}, Cols: types.Schema{}} }

// from binds a FROM list: its items are cross joined.
func (s *scope) from(refs []ast.TableRef) rel.Node {
	var node rel.Node
	for _, r := range refs {
		f := s.fromItem(r)
		s.conflicts(s.items, f.items)
		s.items = append(s.items, f.items...)
		if node == nil {
			node = f.node
		} else {
			node = &rel.Join{Kind: rel.Inner, L: node, R: f.node}
		}
	}
	if node == nil {
		return oneRow()
	}
	return node
}

// conflicts refuses two relations of one name.
func (s *scope) conflicts(l, r []*item) {
	for _, a := range l {
		for _, b := range r {
			if !a.relVisible || !b.relVisible || a.alias != b.alias {
				continue
			}
			if a.rel != nil && b.rel != nil && !a.explicit && !b.explicit && a.rel.ID != b.rel.ID {
				continue // same name in two schemas
			}
			fail(pgerr.Newf(pgerr.DuplicateAlias, "table name %q specified more than once", b.alias))
		}
	}
}

func (s *scope) fromItem(r ast.TableRef) fromItem {
	defer s.b.enter()()
	switch r := r.(type) {
	case *ast.TableName:
		return s.table(r)
	case *ast.DerivedTable:
		if r.Lateral {
			unsupported(r.Pos, "LATERAL")
		}
		if r.Alias.Name == "" {
			fail(pgerr.Newf(pgerr.SyntaxError, "subquery in FROM must have an alias").
				WithHint("For example, FROM (SELECT ...) [AS] foo.").At(int(r.Pos)))
		}
		q := s.subquery(r.Query)
		return s.add(q.relation(s.b), q.cols, nil, r.Alias, r.Alias.Name)
	case *ast.Join:
		return s.join(r)
	case *ast.FuncTable:
		name := "a function"
		if len(r.Calls) > 0 {
			name = "the function " + r.Calls[0].Name[len(r.Calls[0].Name)-1]
		}
		unsupported(r.Pos, "%s in FROM", name)
	}
	unsupported(ast.Pos(r.Position()), "this item of FROM")
	return fromItem{}
}

// subquery binds a query of FROM. It cannot see its neighbours.
func (s *scope) subquery(q *ast.Select) *query {
	return s.b.query(q, s, false)
}

// table binds a relation by name: a query of WITH, or one of the catalog.
func (s *scope) table(t *ast.TableName) fromItem {
	if len(t.Name) == 1 {
		for l := s; l != nil; l = l.parent {
			for _, c := range l.ctes {
				if c.name != t.Name[0] {
					continue
				}
				if c.node == nil {
					unsupported(t.Pos, "recursive query %q", c.name)
				}
				return s.add(c.node, c.cols, nil, t.Alias, c.name)
			}
		}
	}
	r := s.b.relation(t)
	return s.add(s.b.scan(r, t.Pos), relationCols(r), r, t.Alias, r.Name)
}

func relationCols(r *catalog.Relation) []outCol {
	cols := make([]outCol, len(r.Columns))
	for i, c := range r.Columns {
		cols[i] = outCol{name: c.Name, typ: c.Type, origin: Origin{Relation: r.ID, Attr: int16(i + 1)}}
	}
	return cols
}

// relation finds a relation of the catalog.
func (b *Binder) relation(t *ast.TableName) *catalog.Relation {
	schema, name := "", t.Name[len(t.Name)-1]
	switch len(t.Name) {
	case 1:
	case 2:
		schema = t.Name[0]
	default:
		unsupported(t.Pos, "cross-database reference")
	}
	r := b.cat.Lookup(schema, name, b.opts.SearchPath)
	if r == nil {
		if schema != "" {
			failf(pgerr.UndefinedTable, int(t.Pos), "relation \"%s.%s\" does not exist", schema, name)
		}
		failf(pgerr.UndefinedTable, int(t.Pos), "relation %q does not exist", name)
	}
	if len(b.views) == 0 {
		b.deps = append(b.deps, r.ID)
	}
	return r
}

// scan is the node that reads a relation. A plain view is expanded.
func (b *Binder) scan(r *catalog.Relation, pos ast.Pos) rel.Node {
	if r.Kind != catalog.View {
		return &rel.Scan{ID: uint32(r.ID), Name: r.Name, Cols: r.Columns, Key: r.Key, System: r.Kind == catalog.System}
	}
	if b.opts.ParseView == nil || slices.Contains(b.views, r.ID) {
		failf("42P17", int(pos), "infinite recursion detected in rules for relation %q", r.Name)
	}
	q, err := b.opts.ParseView(r.Query)
	if err != nil {
		fail(err)
	}
	b.views = append(b.views, r.ID)
	bound := b.query(q, nil, false)
	b.views = b.views[:len(b.views)-1]
	n := bound.relation(b)
	p := &rel.Project{Input: n}
	for i, c := range n.Schema() {
		p.Exprs = append(p.Exprs, &scalar.Column{Index: i, Typ: c.Type, Name: c.Name})
		p.Names = append(p.Names, r.Columns[i].Name)
	}
	return p
}

// add makes a relation's columns part of the scope's row.
func (s *scope) add(n rel.Node, cols []outCol, r *catalog.Relation, a ast.Alias, name string) fromItem {
	it := &item{alias: name, rel: r, relVisible: true, colsVisible: true, first: len(s.cols)}
	if a.Name != "" {
		it.alias, it.explicit = a.Name, true
	}
	if len(a.Columns) > len(cols) {
		failf(pgerr.InvalidColumnReference, 0, "table %q has %d columns available but %d columns specified",
			it.alias, len(cols), len(a.Columns))
	}
	for i, c := range cols {
		if i < len(a.Columns) {
			c.name = a.Columns[i]
		}
		col := &scalar.Column{Index: len(s.cols), Typ: c.typ, Name: c.name}
		it.cols = append(it.cols, itemCol{c.name, col})
		s.cols = append(s.cols, colInfo{it, c.name, c.typ, c.origin})
	}
	s.tables = append(s.tables, it)
	return fromItem{node: n, top: it, items: []*item{it}, base: it.first}
}

// join binds a join. Inside its condition only its own two sides are visible.
func (s *scope) join(j *ast.Join) fromItem {
	l := s.fromItem(j.L)
	r := s.fromItem(j.R)
	s.conflicts(l.items, r.items)
	kind := map[ast.JoinKind]rel.JoinKind{ast.InnerJoin: rel.Inner, ast.LeftJoin: rel.Left, ast.RightJoin: rel.Right, ast.FullJoin: rel.Full}[j.Kind]

	using := j.Using
	if j.Natural {
		for _, c := range l.top.cols {
			if slices.ContainsFunc(r.top.cols, func(d itemCol) bool { return d.name == c.name }) && !slices.Contains(using, c.name) {
				using = append(using, c.name)
			}
		}
	}
	top := &item{join: true, colsVisible: true, first: l.base}
	var on []scalar.Expr
	for i, name := range using {
		if slices.Contains(using[:i], name) {
			failf(pgerr.DuplicateColumn, 0, "column name %q appears more than once in USING clause", name)
		}
		lc, rc := commonColumn(l.top, name, "left"), commonColumn(r.top, name, "right")
		le, re := s.ref(lc, 0), s.ref(rc, 0)
		on = append(on, s.operator("=", le, re, 0))
		top.cols = append(top.cols, itemCol{name, s.merged(kind, s.ref(lc, 0), s.ref(rc, 0))})
	}
	if j.On != nil {
		outer := s.items
		s.items = slices.Concat(l.items, r.items)
		s.in(inJoin, func() { on = conjuncts(s.boolean(j.On, "JOIN/ON")) })
		s.items = outer
	}
	for i := range on {
		on[i] = s.b.shift(on[i], -l.base)
	}
	for _, side := range []*item{l.top, r.top} {
		for _, c := range side.cols {
			if !slices.Contains(using, c.name) {
				top.cols = append(top.cols, c)
			}
		}
	}
	items := slices.Concat(l.items, r.items)
	for _, it := range items {
		it.colsVisible = false
	}
	if j.UsingAlias != "" {
		unsupported(j.Pos, "JOIN USING … AS")
	}
	if j.Alias.Name != "" {
		top.alias, top.explicit, top.relVisible = j.Alias.Name, true, true
		if n := len(j.Alias.Columns); n > len(top.cols) {
			failf(pgerr.InvalidColumnReference, 0, "join expression %q has %d columns available but %d columns specified",
				top.alias, len(top.cols), n)
		}
		for i, name := range j.Alias.Columns {
			top.cols[i].name = name
		}
		items = nil
	}
	s.tables = append(s.tables, top)
	return fromItem{node: &rel.Join{Kind: kind, L: l.node, R: r.node, On: on}, top: top, items: append(items, top), base: l.base}
}

// commonColumn finds a column of USING on one side.
func commonColumn(it *item, name, side string) *itemCol {
	var found *itemCol
	for i := range it.cols {
		if it.cols[i].name != name {
			continue
		}
		if found != nil {
			failf(pgerr.AmbiguousColumn, 0, "common column name %q appears more than once in %s table", name, side)
		}
		found = &it.cols[i]
	}
	if found == nil {
		failf(pgerr.UndefinedColumn, 0, "column %q specified in USING clause does not exist in %s table", name, side)
	}
	return found
}

// merged is the one column that USING makes of two.
func (s *scope) merged(kind rel.JoinKind, l, r scalar.Expr) scalar.Expr {
	both := []scalar.Expr{l, r}
	t := s.b.unify(both, "JOIN/USING")
	for i := range both {
		both[i] = s.b.withType(both[i], t)
	}
	switch {
	case kind == rel.Full:
		return &scalar.Coalesce{Args: both, Typ: t}
	case kind == rel.Right, kind == rel.Inner && both[0] != l && both[1] == r:
		return both[1]
	}
	return both[0]
}

// conjuncts takes a condition's top-level ANDs apart.
func conjuncts(e scalar.Expr) []scalar.Expr { return rel.Conjuncts([]scalar.Expr{e}) }

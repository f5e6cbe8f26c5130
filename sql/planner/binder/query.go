package binder

import (
	"slices"
	"strconv"
	"strings"

	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// An outCol is a column that a query or a relation puts out.
type outCol struct {
	name   string
	typ    types.Type
	origin Origin
	pos    int
}

// A query is a bound query whose ORDER BY and LIMIT still stand beside it.
type query struct {
	node               rel.Node // cols, then columns that only order needs
	cols               []outCol
	order              []rel.SortKey
	limit, offset      scalar.Expr
	orderPos, limitPos int
}

// relation is the query as a part of another: an order without a limit means nothing there.
func (q *query) relation(b *Binder) rel.Node {
	n := q.node
	if q.limit != nil || q.offset != nil {
		n = &rel.TopK{Input: n, Keys: q.order, Limit: q.limit, Offset: q.offset}
	}
	s := n.Schema()
	if len(s) == len(q.cols) {
		return n
	}
	p := &rel.Project{Input: n}
	for i, c := range s[:len(q.cols)] {
		p.Exprs = append(p.Exprs, &scalar.Column{Index: i, Typ: c.Type, Name: c.Name})
		p.Names = append(p.Names, c.Name)
	}
	return p
}

// A target is an item of the select list, or, if extra, an expression that
// only ORDER BY needs.
type target struct {
	name   string
	expr   scalar.Expr
	origin Origin
	extra  bool
}

// A sortItem is an item of ORDER BY, by its target.
type sortItem struct {
	target           int
	desc, nullsFirst bool
}

// query binds a query. A column that is still of type unknown becomes text,
// unless the caller settles it (keepUnknown).
func (b *Binder) query(q *ast.Select, parent *scope, keepUnknown bool) *query {
	defer b.enter()()
	s := b.newScope(parent)
	s.with(q.With)
	if len(q.Locking) > 0 {
		unsupported(q.Locking[0], "FOR UPDATE or FOR SHARE")
	}
	if q.WithTies {
		unsupported(q.Pos, "WITH TIES")
	}
	switch body := q.Body.(type) {
	case *ast.SelectCore:
		return s.core(q, body, keepUnknown)
	case *ast.Values:
		return s.valuesQuery(q, body)
	case *ast.SetOp:
		return s.setOp(q, body)
	}
	unsupported(q.Pos, "this query")
	return nil
}

// with binds the queries of WITH. Each sees those before it.
func (s *scope) with(w *ast.With) {
	if w == nil {
		return
	}
	for i := range w.CTEs {
		c := &w.CTEs[i]
		if slices.ContainsFunc(s.ctes, func(o *cte) bool { return o.name == c.Name }) {
			failf(pgerr.DuplicateAlias, int(c.Pos), "WITH query name %q specified more than once", c.Name)
		}
		if c.Query == nil {
			unsupported(c.Pos, "a data-modifying statement in WITH")
		}
		bound := &cte{name: c.Name}
		if w.Recursive {
			s.ctes = append(s.ctes, bound)
		}
		q := s.b.query(c.Query, s, false)
		bound.node, bound.cols = q.relation(s.b), q.cols
		if !w.Recursive {
			s.ctes = append(s.ctes, bound)
		}
		if len(c.Columns) > len(q.cols) {
			failf(pgerr.InvalidColumnReference, int(c.Pos), "WITH query %q has %d columns available but %d columns specified",
				c.Name, len(q.cols), len(c.Columns))
		}
		bound.cols = slices.Clone(q.cols)
		for i, n := range c.Columns {
			bound.cols[i].name = n
		}
	}
}

// core binds SELECT … FROM … in the order of PostgreSQL's transformSelectStmt.
func (s *scope) core(q *ast.Select, c *ast.SelectCore, keepUnknown bool) *query {
	switch {
	case c.DistinctOn != nil:
		unsupported(c.DistinctOn[0].Position(), "DISTINCT ON")
	case len(c.Windows) > 0:
		unsupported(c.Pos, "WINDOW")
	}
	node := s.from(c.From)
	targets := s.targets(c.Targets)
	var where, having []scalar.Expr
	if c.Where != nil {
		s.in(inWhere, func() { where = conjuncts(s.boolean(c.Where, "WHERE")) })
	}
	if c.Having != nil {
		s.in(inHaving, func() { having = conjuncts(s.boolean(c.Having, "HAVING")) })
	}
	order := s.orderBy(q.OrderBy, &targets)
	keys := s.groupBy(c.GroupBy, &targets)
	if c.Distinct {
		s.distinctTargets(targets)
	}
	out := &query{}
	s.limits(q, out)
	if !keepUnknown {
		for i := range targets {
			targets[i].expr = s.b.textual(targets[i].expr)
		}
	}
	if where != nil {
		node = &rel.Filter{Input: node, Preds: where}
	}
	if len(c.GroupBy) > 0 || s.hasAggs || c.Having != nil {
		node, having = s.group(node, keys, targets, having)
		if having != nil {
			node = &rel.Filter{Input: node, Preds: having}
		}
	}
	s.finish(out, node, targets, order)
	if c.Distinct {
		out.node = &rel.Distinct{Input: out.node}
	}
	return out
}

// finish projects the targets and makes the ordering one of their positions.
func (s *scope) finish(out *query, node rel.Node, targets []target, order []sortItem) {
	p := &rel.Project{Input: node, Exprs: []scalar.Expr{}, Names: []string{}}
	for _, t := range targets {
		p.Exprs = append(p.Exprs, t.expr)
		p.Names = append(p.Names, t.name)
		if !t.extra {
			out.cols = append(out.cols, outCol{t.name, t.expr.Type(), t.origin, s.b.pos(t.expr)})
		}
	}
	out.node = p
	for _, o := range order {
		t := targets[o.target]
		out.order = append(out.order, rel.SortKey{
			Expr: &scalar.Column{Index: o.target, Typ: t.expr.Type(), Name: t.name}, Desc: o.desc, NullsFirst: o.nullsFirst})
	}
}

// targets binds a select list.
func (s *scope) targets(list []ast.Target) []target {
	var out []target
	for _, t := range list {
		if c, ok := t.X.(*ast.ColumnRef); ok && c.Star {
			out = append(out, s.star(c.Parts, int(c.Pos))...)
			continue
		}
		if f, ok := t.X.(*ast.FieldSelect); ok && f.Star {
			if c, ok := f.X.(*ast.ColumnRef); ok && len(c.Parts) == 1 && s.lookup(c.Parts[0], 0) == nil {
				out = append(out, s.star(c.Parts, int(c.Pos))...)
				continue
			}
		}
		e := s.expr(t.X)
		name := t.Name
		if name == "" {
			name = columnName(t.X)
		}
		out = append(out, target{name: name, expr: e, origin: s.originOf(e)})
	}
	return out
}

// star expands * (no parts) and t.*.
func (s *scope) star(parts []string, pos int) []target {
	var items []*item
	switch len(parts) {
	case 0:
		for _, it := range s.items {
			if it.colsVisible {
				items = append(items, it)
			}
		}
		if items == nil {
			failf(pgerr.SyntaxError, pos, "SELECT * with no tables specified is not valid")
		}
	case 1, 2:
		schema, table := "", parts[len(parts)-1]
		if len(parts) == 2 {
			schema = parts[0]
		}
		it := s.findItem(schema, table, pos)
		if it == nil {
			s.missingTable(schema, table, pos)
		}
		items = []*item{it}
	default:
		failf(pgerr.SyntaxError, pos, "improper qualified name (too many dotted names): %s", strings.Join(parts, ".")+".*")
	}
	var out []target
	for _, it := range items {
		for i := range it.cols {
			e := s.ref(&it.cols[i], pos)
			out = append(out, target{name: it.cols[i].name, expr: e, origin: s.originOf(e)})
		}
	}
	return out
}

// originOf says of which relation's column an expression is a plain copy.
func (s *scope) originOf(e scalar.Expr) Origin {
	if c, ok := e.(*scalar.Column); ok && !s.b.opaque[e] && c.Index < len(s.cols) && s.cols[c.Index].typ == c.Typ {
		return s.cols[c.Index].origin
	}
	return Origin{}
}

// orderBy binds ORDER BY, adding to the targets what is not among them.
func (s *scope) orderBy(list []ast.SortBy, targets *[]target) []sortItem {
	var out []sortItem
	for _, o := range list {
		var i int
		s.in(inOrderBy, func() { i = s.findTarget(o.X, targets, inOrderBy) })
		t := &(*targets)[i]
		t.expr = s.b.textual(t.expr)
		s.b.ordering(t.expr.Type().OID, int(o.X.Position()))
		item := sortItem{target: i, desc: o.Desc}
		switch o.Using {
		case "", "<":
		case ">":
			item.desc = true
		default:
			unsupported(o.X.Position(), "ORDER BY … USING %s", o.Using)
		}
		item.nullsFirst = item.desc
		if o.NullsFirst != nil {
			item.nullsFirst = *o.NullsFirst
		}
		if !slices.ContainsFunc(out, func(p sortItem) bool { return p.target == i }) {
			out = append(out, item)
		}
	}
	return out
}

// findTarget finds what an item of ORDER BY or GROUP BY means: the name of an
// output column, its number, or an expression, which is added if it is new.
func (s *scope) findTarget(e ast.Expr, targets *[]target, in clause) int {
	if c, ok := e.(*ast.ColumnRef); ok && len(c.Parts) == 1 && !c.Star {
		name, pos := c.Parts[0], int(c.Pos)
		// GROUP BY prefers a column of FROM over an output name.
		if in != inGroupBy || s.lookup(name, pos) == nil {
			found := -1
			for i, t := range *targets {
				if t.extra || t.name != name {
					continue
				}
				if found >= 0 && !equal((*targets)[found].expr, t.expr) {
					failf(pgerr.AmbiguousColumn, pos, "%s %q is ambiguous", in, name)
				}
				if found < 0 {
					found = i
				}
			}
			if found >= 0 {
				s.checkTarget((*targets)[found].expr, in)
				return found
			}
		}
	}
	if o, ok := e.(*ast.Op); ok {
		if c := negated(o); c != nil {
			e = c
		}
	}
	if c, ok := e.(*ast.Const); ok {
		n, err := strconv.ParseInt(c.Text, 10, 32)
		if c.Kind != ast.IntegerConst || err != nil {
			failf(pgerr.SyntaxError, int(c.Pos), "non-integer constant in %s", in)
		}
		for i, t := range *targets {
			if n--; !t.extra && n == 0 {
				s.checkTarget(t.expr, in)
				return i
			}
		}
		n, _ = strconv.ParseInt(c.Text, 10, 32)
		failf(pgerr.InvalidColumnReference, int(c.Pos), "%s position %d is not in select list", in, n)
	}
	x := s.expr(e)
	for i, t := range *targets {
		if equal(t.expr, x) {
			return i
		}
	}
	*targets = append(*targets, target{name: columnName(e), expr: x, extra: true})
	return len(*targets) - 1
}

// checkTarget refuses an aggregate that GROUP BY names through the select list.
func (s *scope) checkTarget(e scalar.Expr, in clause) {
	if in != inGroupBy {
		return
	}
	if a := find(e, isAgg); a != nil {
		failf(pgerr.GroupingError, s.b.pos(a), "aggregate functions are not allowed in GROUP BY")
	}
}

// distinctTargets checks the columns of SELECT DISTINCT.
func (s *scope) distinctTargets(targets []target) {
	for i := range targets {
		t := &targets[i]
		if t.extra {
			failf(pgerr.InvalidColumnReference, s.b.pos(t.expr), "for SELECT DISTINCT, ORDER BY expressions must appear in select list")
		}
		t.expr = s.b.textual(t.expr)
		s.b.equality(t.expr.Type().OID, s.b.pos(t.expr))
	}
}

// limits binds LIMIT and OFFSET. NULL is no bound.
func (s *scope) limits(q *ast.Select, out *query) {
	if len(q.OrderBy) > 0 {
		out.orderPos = int(q.OrderBy[0].X.Position())
	}
	bind := func(e ast.Expr, c clause) (r scalar.Expr) {
		if e == nil {
			return nil
		}
		s.in(c, func() { r = s.b.coerceFor(s.expr(e), types.Int8, string(c)) })
		if col := find(r, isColumn); col != nil {
			failf(pgerr.InvalidColumnReference, s.b.pos(col), "argument of %s must not contain variables", c)
		}
		if k, ok := r.(*scalar.Const); ok && k.Value.Null {
			return nil
		}
		return r
	}
	out.offset = bind(q.Offset, inOffset)
	out.limit = bind(q.Limit, inLimit)
	switch {
	case out.limit != nil:
		out.limitPos = int(q.Limit.Position())
	case out.offset != nil:
		out.limitPos = int(q.Offset.Position())
	}
}

// valuesQuery binds VALUES as SELECT * FROM (VALUES …).
func (s *scope) valuesQuery(q *ast.Select, v *ast.Values) *query {
	node, cols := s.values(v)
	f := s.add(node, cols, nil, ast.Alias{}, "*VALUES*")
	s.items = f.items
	targets := s.star(nil, int(v.Pos))
	for i := range targets {
		s.b.put(targets[i].expr, cols[i].pos)
	}
	order := s.orderBy(q.OrderBy, &targets)
	out := &query{}
	s.limits(q, out)
	s.finish(out, node, targets, order)
	return out
}

// values binds the rows of VALUES; each column takes the common type of its values.
func (s *scope) values(v *ast.Values) (rel.Node, []outCol) {
	inner := s.b.newScope(s)
	inner.clause = inValues
	n := &rel.Values{Cols: types.Schema{}}
	for _, row := range v.Rows {
		if len(row) != len(v.Rows[0]) {
			failf(pgerr.SyntaxError, int(row[0].Position()), "VALUES lists must all be the same length")
		}
		n.Rows = append(n.Rows, inner.exprs(row))
	}
	var cols []outCol
	for j := range v.Rows[0] {
		column := make([]scalar.Expr, len(n.Rows))
		for i := range n.Rows {
			column[i] = n.Rows[i][j]
		}
		pos := s.b.pos(column[0])
		t := s.b.unify(column, "VALUES")
		for i := range n.Rows {
			n.Rows[i][j] = s.b.withType(column[i], t)
		}
		name := "column" + strconv.Itoa(j+1)
		n.Cols = append(n.Cols, types.Column{Name: name, Type: t})
		cols = append(cols, outCol{name: name, typ: t, pos: pos})
	}
	return n, cols
}

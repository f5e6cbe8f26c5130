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

// DMLKind is what a DML does.
type DMLKind uint8

// The kinds of DML.
const (
	Insert DMLKind = iota
	Update
	Delete
)

// A DML is a bound INSERT, UPDATE or DELETE.
type DML struct {
	Kind     DMLKind
	Relation *catalog.Relation
	// Source gives, with n columns in Relation,
	//   INSERT  the new rows, n columns, defaults filled in;
	//   UPDATE  the old row, the new row (2n columns), then the columns of FROM;
	//   DELETE  the old row, then the columns of USING.
	// With FROM or USING an old row may come up several times; one of them counts.
	Source rel.Node
	// Returning is over Source's columns: INSERT the new row, UPDATE the old row,
	// the new row and the columns of FROM, DELETE as Source.
	Returning        []scalar.Expr
	ReturningCols    types.Schema
	ReturningOrigins []Origin
	Conflict         *Conflict // nil: a conflict is an error
	Params           []types.OID
	Deps             []catalog.ID
}

// A Conflict is ON CONFLICT.
type Conflict struct {
	// Columns are the key that is looked at; nil: any.
	Columns []int
	// Update gives the row that replaces the existing one, over existing row ‖
	// excluded row; nil: DO NOTHING. Where, over the same, says whether it is done.
	Update []scalar.Expr
	Where  scalar.Expr
}

// BindScalar binds an expression over one relation's columns: a default (no
// columns), a row filter, an assignment. Its type may be Unknown for a literal:
// see CoerceAssign.
func (b *Binder) BindScalar(e ast.Expr, cols types.Schema, relName string) (r scalar.Expr, err error) {
	defer catch(&err)
	s := b.newScope(nil)
	s.clause = inWhere
	if cols == nil {
		s.clause = inDefault
	}
	out := make([]outCol, len(cols))
	for i, c := range cols {
		out[i] = outCol{name: c.Name, typ: c.Type}
	}
	s.items = s.add(nil, out, nil, ast.Alias{}, relName).items
	return s.expr(e), nil
}

// BindCondition is BindScalar for a boolean condition; what names it in errors.
func (b *Binder) BindCondition(e ast.Expr, cols types.Schema, relName, what string) (r scalar.Expr, err error) {
	x, err := b.BindScalar(e, cols, relName)
	if err != nil {
		return nil, err
	}
	defer catch(&err)
	return b.coerceFor(x, types.Bool, what), nil
}

// CoerceAssign converts a value that is assigned to a column. pos is where it
// stands, 0 if the binder knows.
func (b *Binder) CoerceAssign(e scalar.Expr, to types.Type, colName string, pos int) (r scalar.Expr, err error) {
	defer catch(&err)
	return b.assign(e, to, colName, pos), nil
}

func (b *Binder) assign(e scalar.Expr, to types.Type, colName string, pos int) scalar.Expr {
	r := b.coerceTo(e, to, scalar.AssignmentCast)
	if r == nil {
		if pos == 0 {
			pos = b.pos(e)
		}
		fail(pgerr.Newf(pgerr.DatatypeMismatch, "column %q is of type %s but expression is of type %s", colName, typeName(to.OID), typeName(e.Type().OID)).
			WithHint("You will need to rewrite or cast the expression.").At(pos))
	}
	return r
}

// writable finds the target of a DML and refuses all that clients cannot write.
func (b *Binder) writable(t *ast.TableName, verb string) *catalog.Relation {
	r := b.relation(t)
	e := (*pgerr.Error)(nil)
	switch r.Kind {
	case catalog.Table:
		return r
	case catalog.SourceTable:
		word := map[string]string{"insert": "insert into", "update": "update", "delete": "delete from"}[verb]
		e = pgerr.Newf(pgerr.WrongObjectType, "cannot %s source table %q", word, r.Name).
			WithHint("It is captured from a source: change it there.")
	case catalog.MaterializedView:
		e = pgerr.Newf(pgerr.WrongObjectType, "cannot change materialized view %q", r.Name)
	case catalog.View:
		word := map[string]string{"insert": "insert into", "update": "update", "delete": "delete from"}[verb]
		e = pgerr.Newf(pgerr.WrongObjectType, "cannot %s view %q", word, r.Name)
	default:
		e = pgerr.Newf(pgerr.InsufficientPrivilege, "permission denied: %q is a system catalog", r.Name)
	}
	fail(e)
	return nil
}

// columnIndex finds a column of the target.
func columnIndex(r *catalog.Relation, name string, pos int) int {
	i := slices.IndexFunc(r.Columns, func(c types.Column) bool { return c.Name == name })
	if i < 0 {
		failf(pgerr.UndefinedColumn, pos, "column %q of relation %q does not exist", name, r.Name)
	}
	return i
}

// defaultOf is the default of a column: its expression, or NULL.
func (b *Binder) defaultOf(r *catalog.Relation, i int) scalar.Expr {
	c := r.Columns[i]
	if len(r.Defaults) == 0 || r.Defaults[i] == "" {
		return &scalar.Const{Typ: c.Type, Value: types.NullDatum}
	}
	if b.opts.ParseView == nil {
		fail(pgerr.Newf(pgerr.InternalError, "no parser for the default of column %q", c.Name))
	}
	q, err := b.opts.ParseView("SELECT " + r.Defaults[i])
	if err != nil {
		fail(err)
	}
	s := b.newScope(nil)
	s.clause = inDefault
	return b.assign(s.expr(q.Body.(*ast.SelectCore).Targets[0].X), c.Type, c.Name, 0)
}

// returning binds RETURNING.
func (s *scope) returning(list []ast.Target, d *DML) {
	s.in(inReturning, func() {
		for _, t := range s.targets(list) {
			e := s.b.textual(t.expr)
			d.Returning = append(d.Returning, e)
			d.ReturningCols = append(d.ReturningCols, types.Column{Name: t.name, Type: e.Type()})
			d.ReturningOrigins = append(d.ReturningOrigins, t.origin)
		}
	})
}

func (b *Binder) finishDML(d *DML) *DML {
	d.Params, d.Deps = b.finishParams(), b.finishDeps()
	return d
}

// target makes the target relation the first of a scope.
func (s *scope) target(t *ast.TableName, r *catalog.Relation) rel.Node {
	f := s.add(s.b.scan(r, t.Pos), relationCols(r), r, t.Alias, r.Name)
	s.items = f.items
	return f.node
}

// BindUpdate binds UPDATE.
func (b *Binder) BindUpdate(u *ast.Update) (d *DML, err error) {
	defer catch(&err)
	s := b.newScope(nil)
	s.with(u.With)
	r := b.writable(u.Table, "update")
	n := len(r.Columns)
	node := s.target(u.Table, r)
	if u.From != nil {
		node = s.fromMore(node, u.From)
	}
	width := len(s.cols)
	exprs := columnRefs(s, 0, n)
	news := columnRefs(s, 0, n)
	var set []int
	s.in(inUpdate, func() {
		for _, a := range u.Set {
			i := columnIndex(r, a.Column, int(a.Pos))
			if slices.Contains(set, i) {
				failf(pgerr.SyntaxError, 0, "multiple assignments to same column %q", a.Column)
			}
			set = append(set, i)
			news[i] = s.value(r, i, a.Value)
		}
	})
	if u.Where != nil {
		s.in(inWhere, func() { node = &rel.Filter{Input: node, Preds: conjuncts(s.boolean(u.Where, "WHERE"))} })
	}
	exprs = append(append(exprs, news...), columnRefs(s, n, width)...)
	d = &DML{Kind: Update, Relation: r, Source: projection(node, exprs)}
	// RETURNING sees the new row, and FROM behind it: both stand n columns further on.
	s.returning(u.Returning, d)
	for i, e := range d.Returning {
		d.Returning[i] = b.shift(e, n)
	}
	return b.finishDML(d), nil
}

// BindDelete binds DELETE.
func (b *Binder) BindDelete(del *ast.Delete) (d *DML, err error) {
	defer catch(&err)
	s := b.newScope(nil)
	s.with(del.With)
	r := b.writable(del.Table, "delete")
	node := s.target(del.Table, r)
	if del.Using != nil {
		node = s.fromMore(node, del.Using)
	}
	if del.Where != nil {
		s.in(inWhere, func() { node = &rel.Filter{Input: node, Preds: conjuncts(s.boolean(del.Where, "WHERE"))} })
	}
	d = &DML{Kind: Delete, Relation: r, Source: projection(node, columnRefs(s, 0, len(s.cols)))}
	s.returning(del.Returning, d)
	return b.finishDML(d), nil
}

// fromMore joins the items of UPDATE … FROM or DELETE … USING to the target.
func (s *scope) fromMore(node rel.Node, refs []ast.TableRef) rel.Node {
	for _, ref := range refs {
		f := s.fromItem(ref)
		s.conflicts(s.items, f.items)
		s.items = append(s.items, f.items...)
		node = &rel.Join{Kind: rel.Inner, L: node, R: f.node}
	}
	return node
}

// value binds a value assigned to a column; DEFAULT is the column's default.
func (s *scope) value(r *catalog.Relation, i int, e ast.Expr) scalar.Expr {
	if _, ok := e.(*ast.Default); ok {
		return s.b.defaultOf(r, i)
	}
	return s.b.assign(s.expr(e), r.Columns[i].Type, r.Columns[i].Name, 0)
}

// columnRefs gives columns low…high−1 of the scope's row.
func columnRefs(s *scope, low, high int) []scalar.Expr {
	var out []scalar.Expr
	for i := low; i < high; i++ {
		out = append(out, &scalar.Column{Index: i, Typ: s.cols[i].typ, Name: s.cols[i].name})
	}
	return out
}

// projection projects columns that need no names of their own.
func projection(n rel.Node, exprs []scalar.Expr) rel.Node {
	p := &rel.Project{Input: n, Exprs: exprs}
	for _, e := range exprs {
		name := ""
		if c, ok := e.(*scalar.Column); ok {
			name = c.Name
		}
		p.Names = append(p.Names, name)
	}
	return p
}

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

// BindInsert binds INSERT.
func (b *Binder) BindInsert(ins *ast.Insert) (d *DML, err error) {
	defer catch(&err)
	s := b.newScope(nil)
	s.with(ins.With)
	r := b.writable(ins.Table, "insert")
	cols := insertColumns(ins, r)
	s.target(ins.Table, r)
	s.items = nil // known to hints, not to be named
	d = &DML{Kind: Insert, Relation: r}
	switch {
	case ins.Query == nil:
		d.Source = b.insertRows(r, nil, [][]scalar.Expr{{}})
	case plainValues(ins.Query):
		d.Source = s.insertValues(ins, r, cols)
	default:
		d.Source = s.insertQuery(ins, r, cols)
	}
	t := b.newScope(nil)
	t.target(ins.Table, r)
	if ins.Conflict != nil {
		d.Conflict = b.conflict(ins, r)
	}
	t.returning(ins.Returning, d)
	return b.finishDML(d), nil
}

// plainValues: VALUES alone, whose items may be DEFAULT and are converted one by one.
func plainValues(q *ast.Select) bool {
	_, ok := q.Body.(*ast.Values)
	return ok && q.With == nil && q.OrderBy == nil && q.Limit == nil && q.Offset == nil
}

// insertColumns gives the target columns in the order of the list.
func insertColumns(ins *ast.Insert, r *catalog.Relation) []int {
	var cols []int
	if ins.Columns == nil {
		for i := range r.Columns {
			cols = append(cols, i)
		}
	}
	for k, name := range ins.Columns {
		pos := insertPos(ins, k)
		i := columnIndex(r, name, pos)
		if slices.Contains(cols, i) {
			failf(pgerr.DuplicateColumn, pos, "column %q specified more than once", name)
		}
		cols = append(cols, i)
	}
	return cols
}

func insertPos(ins *ast.Insert, k int) int {
	if k < len(ins.ColumnPos) {
		return int(ins.ColumnPos[k])
	}
	return 0
}

// checkCount refuses more expressions than columns; fewer are right only
// without a list of columns.
func checkCount(ins *ast.Insert, cols []int, n int, excess func() int) {
	if n > len(cols) {
		failf(pgerr.SyntaxError, excess(), "INSERT has more expressions than target columns")
	}
	if ins.Columns != nil && n < len(cols) {
		failf(pgerr.SyntaxError, insertPos(ins, n), "INSERT has more target columns than expressions")
	}
}

func (s *scope) insertValues(ins *ast.Insert, r *catalog.Relation, cols []int) rel.Node {
	in := s.b.newScope(s)
	in.clause = inValues
	v := ins.Query.Body.(*ast.Values)
	n := len(v.Rows[0])
	rows := make([][]scalar.Expr, len(v.Rows))
	for k, row := range v.Rows {
		if len(row) != n {
			failf(pgerr.SyntaxError, int(row[0].Position()), "VALUES lists must all be the same length")
		}
		checkCount(ins, cols, n, func() int { return int(row[len(cols)].Position()) })
		for j, e := range row {
			rows[k] = append(rows[k], in.value(r, cols[j], e))
		}
	}
	return s.b.insertRows(r, cols[:n], rows)
}

// insertRows makes whole rows: cols from rows, the others by default.
func (b *Binder) insertRows(r *catalog.Relation, cols []int, rows [][]scalar.Expr) rel.Node {
	n := &rel.Values{Cols: r.Columns}
	for _, row := range rows {
		full := make([]scalar.Expr, len(r.Columns))
		for j, i := range cols {
			full[i] = row[j]
		}
		for i := range full {
			if full[i] == nil {
				full[i] = b.defaultOf(r, i)
			}
		}
		n.Rows = append(n.Rows, full)
	}
	return n
}

// insertQuery converts the columns of a query to those of the target. A
// literal of the select list takes its type from the target.
func (s *scope) insertQuery(ins *ast.Insert, r *catalog.Relation, cols []int) rel.Node {
	q := s.b.query(ins.Query, s, true)
	checkCount(ins, cols, len(q.cols), func() int { return q.cols[len(cols)].pos })
	node := q.relation(s.b)
	p := &rel.Project{Input: node, Exprs: make([]scalar.Expr, len(r.Columns))}
	for j, c := range q.cols {
		i := cols[j]
		if c.typ.OID == types.Unknown {
			p.Input = s.b.settle(p.Input, j, r.Columns[i].Type.OID)
			c.typ = types.T(r.Columns[i].Type.OID)
		}
		col := &scalar.Column{Index: j, Typ: c.typ, Name: c.name}
		p.Exprs[i] = s.b.assign(s.b.put(col, c.pos), r.Columns[i].Type, r.Columns[i].Name, 0)
	}
	for i, c := range r.Columns {
		if p.Exprs[i] == nil {
			p.Exprs[i] = s.b.defaultOf(r, i)
		}
		p.Names = append(p.Names, c.Name)
	}
	return p
}

// conflict binds ON CONFLICT. The columns must be the primary key: it is the
// only unique key there is.
func (b *Binder) conflict(ins *ast.Insert, r *catalog.Relation) *Conflict {
	c := ins.Conflict
	out := &Conflict{}
	for _, name := range c.Columns {
		i := slices.IndexFunc(r.Columns, func(col types.Column) bool { return col.Name == name })
		if i < 0 {
			failf(pgerr.UndefinedColumn, int(c.Pos), "column %q does not exist", name)
		}
		if !slices.Contains(out.Columns, i) {
			out.Columns = append(out.Columns, i)
		}
	}
	if out.Columns == nil && c.Update != nil {
		fail(pgerr.Newf(pgerr.SyntaxError, "ON CONFLICT DO UPDATE requires inference specification or constraint name").
			WithHint("For example, ON CONFLICT (column_name).").At(int(c.Pos)))
	}
	if out.Columns != nil {
		got, key := slices.Clone(out.Columns), slices.Clone(r.Key)
		slices.Sort(got)
		slices.Sort(key)
		if !slices.Equal(got, key) {
			failf(pgerr.InvalidColumnReference, 0, "there is no unique or exclusion constraint matching the ON CONFLICT specification")
		}
	}
	if c.Update == nil {
		return out
	}
	s := b.newScope(nil)
	s.target(ins.Table, r)
	ex := s.add(nil, relationCols(r), nil, ast.Alias{}, "excluded")
	s.items = append(s.items, ex.items...)
	out.Update = columnRefs(s, 0, len(r.Columns))
	var set []int
	s.in(inUpdate, func() {
		for _, a := range c.Update {
			i := columnIndex(r, a.Column, int(a.Pos))
			if slices.Contains(set, i) {
				failf(pgerr.SyntaxError, 0, "multiple assignments to same column %q", a.Column)
			}
			set = append(set, i)
			out.Update[i] = s.value(r, i, a.Value)
		}
	})
	if c.Where != nil {
		s.in(inWhere, func() { out.Where = s.boolean(c.Where, "WHERE") })
	}
	return out
}

package parser

import (
	tidb "github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/helios-sql/helios-sql/sql/parser/ast"
)

// query decodes a query; its node is behind the last item of its ORDER BY.
func (d *decoder) query(n tidb.Node) *ast.Select {
	var order *tidb.OrderByClause
	var with *tidb.WithClause
	var operands []tidb.Node
	core, _ := n.(*tidb.SelectStmt)
	switch x := n.(type) {
	case *tidb.SelectStmt:
		order, with = x.OrderBy, x.With
	case *tidb.SetOprStmt:
		order, with, operands = x.OrderBy, x.With, x.SelectList.Selects
		if with == nil {
			with = x.SelectList.With
		}
	case *tidb.SetOprSelectList:
		order, with, operands = x.OrderBy, x.With, x.Selects
		if len(operands) == 1 && order == nil { // a query in parentheses
			return d.query(operands[0])
		}
	default:
		d.bug("query %T", n)
	}
	if order == nil {
		d.bug("query without its node")
	}
	last := len(order.Items) - 1
	f, _ := order.Items[last].Expr.(*tidb.FuncCallExpr)
	if f == nil {
		d.bug("query without its node")
	}
	s, ok := d.note(f.FnName.O).(*ast.Select)
	if !ok || len(s.OrderBy) != last {
		d.bug("query with another's node")
	}
	for i := range s.OrderBy {
		s.OrderBy[i].X = d.expr(order.Items[i].Expr)
	}
	a := &parts{d: d, args: f.Args}
	a.optional(&s.Limit)
	a.optional(&s.Offset)
	d.with(s.With, with)
	switch body := s.Body.(type) {
	case *ast.SelectCore:
		a.fill(body.DistinctOn)
		d.core(body, core)
	case *ast.Values:
		d.values(body, core)
	case *ast.SetOp:
		if len(operands) != 2 {
			d.bug("set operation of %d queries", len(operands))
		}
		body.L, body.R = d.query(operands[0]), d.query(operands[1])
	}
	return s
}

func (d *decoder) with(w *ast.With, from *tidb.WithClause) {
	if w == nil {
		return
	}
	if from == nil || len(from.CTEs) != len(w.CTEs) {
		d.bug("WITH lost")
	}
	for i := range w.CTEs {
		if c := &w.CTEs[i]; c.Stmt == nil {
			c.Query = d.query(from.CTEs[i].Query.Query)
		}
	}
}

func (d *decoder) values(v *ast.Values, from *tidb.SelectStmt) {
	if from == nil || len(from.Lists) != len(v.Rows) {
		d.bug("VALUES lost")
	}
	for i, r := range from.Lists {
		if len(r.Values) != len(v.Rows[i]) {
			d.bug("VALUES lost a column")
		}
		v.Rows[i] = d.exprs(r.Values)
	}
}

func (d *decoder) core(c *ast.SelectCore, from *tidb.SelectStmt) {
	if from == nil || from.From == nil {
		d.bug("SELECT lost")
	}
	if len(c.Targets) > 0 {
		if len(from.Fields.Fields) != len(c.Targets) {
			d.bug("SELECT lost a column")
		}
		for i, f := range from.Fields.Fields {
			if f.Expr == nil || f.AsName.O != "" {
				d.bug("select item")
			}
			c.Targets[i].X = d.expr(f.Expr)
		}
	}
	if len(c.From) > 0 {
		d.from(c.From, from.From.TableRefs)
	}
	if c.Where != nil {
		c.Where = d.expr(from.Where)
	}
	if len(c.GroupBy) > 0 {
		for i, it := range from.GroupBy.Items {
			c.GroupBy[i] = d.expr(it.Expr)
		}
	}
	if c.Having != nil {
		c.Having = d.expr(from.Having.Expr)
	}
	for i := range c.Windows {
		d.window(c.Windows[i].Def, &from.WindowSpecs[i])
	}
}

// from decodes a FROM list, which TiDB builds as a left-deep tree of joins without a condition.
func (d *decoder) from(items []ast.TableRef, n tidb.ResultSetNode) {
	for i := len(items) - 1; i >= 0; i-- {
		j, ok := n.(*tidb.Join)
		for ok && j.Right == nil {
			n = j.Left
			j, ok = n.(*tidb.Join)
		}
		if !ok || j.On != nil {
			items[i] = d.table(n)
			if i > 0 {
				d.bug("FROM lost an item")
			}
			return
		}
		items[i] = d.table(j.Right)
		n = j.Left
	}
	d.bug("FROM has too many items")
}

func (d *decoder) table(n tidb.ResultSetNode) ast.TableRef {
	switch x := n.(type) {
	case *tidb.Join:
		if x.Right == nil {
			return d.table(x.Left)
		}
		if x.On == nil {
			d.bug("join without its node")
		}
		f, _ := x.On.Expr.(*tidb.FuncCallExpr)
		if f == nil {
			d.bug("join without its node")
		}
		j, ok := d.note(f.FnName.O).(*ast.Join)
		if !ok {
			d.bug("join without its node")
		}
		j.L, j.R = d.table(x.Left), d.table(x.Right)
		a := &parts{d: d, args: f.Args}
		a.optional(&j.On)
		return j
	case *tidb.TableSource:
		switch t := d.note(x.AsName.O).(type) {
		case *ast.TableName:
			return t
		case *ast.DerivedTable:
			t.Query = d.query(x.Source)
			return t
		case *ast.FuncTable:
			d.funcTable(t, x.Source)
			return t
		}
	}
	d.bug("table %T", n)
	return nil
}

func (d *decoder) funcTable(t *ast.FuncTable, n tidb.ResultSetNode) {
	s, ok := n.(*tidb.SelectStmt)
	if !ok || len(s.Fields.Fields) != len(t.Calls) {
		d.bug("function in FROM")
	}
	for i, f := range s.Fields.Fields {
		e := d.expr(f.Expr)
		c, ok := e.(*ast.Call)
		if !ok {
			d.p.refuseAt(e.Position(), "an expression that is no function call in FROM")
			c = &ast.Call{Pos: t.Pos}
		}
		t.Calls[i] = c
	}
}

// window fills a window's definition.
func (d *decoder) window(w *ast.Window, from *tidb.WindowSpec) {
	if len(w.PartitionBy) > 0 {
		for i, it := range from.PartitionBy.Items {
			w.PartitionBy[i] = d.expr(it.Expr)
		}
	}
	if len(w.OrderBy) > 0 {
		for i, it := range from.OrderBy.Items {
			w.OrderBy[i].X = d.expr(it.Expr)
		}
	}
	if w.Frame == nil {
		return
	}
	if w.Frame.Start.Offset != nil {
		w.Frame.Start.Offset = d.expr(from.Frame.Extent.Start.Expr)
	}
	if w.Frame.End.Offset != nil {
		w.Frame.End.Offset = d.expr(from.Frame.Extent.End.Expr)
	}
}

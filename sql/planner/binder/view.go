package binder

import (
	"slices"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// CheckView reports why the query cannot be kept as a materialized view with
// the given column names (those of CREATE VIEW v (…), may be shorter than the
// result), and gives the view's columns. Notices are what the user should hear
// of although it is no error.
func (q *Query) CheckView(names []string) (cols types.Schema, notices []*pgerr.Error, err error) {
	defer catch(&err)
	if len(names) > len(q.Cols) {
		fail(pgerr.Newf(pgerr.SyntaxError, "too many column names were specified"))
	}
	cols = slices.Clone(q.Cols)
	for i := range cols {
		if i < len(names) {
			cols[i].Name = names[i]
		}
		for _, c := range cols[:i] {
			if c.Name == cols[i].Name {
				fail(pgerr.Newf(pgerr.DuplicateColumn, "column %q specified more than once", c.Name))
			}
		}
	}
	if len(q.Params) > 0 {
		fail(pgerr.Newf(pgerr.UndefinedParameter, "there is no parameter $1"))
	}
	if q.Limit != nil || q.Offset != nil {
		fail(pgerr.Unsupported(q.limitPos, "LIMIT or OFFSET in a materialized view"))
	}
	checkNode(q.Root)
	if len(q.Order) > 0 {
		notices = append(notices, &pgerr.Error{Severity: "NOTICE", Code: pgerr.SuccessfulCompletion,
			Message: "ORDER BY in a materialized view has no effect", Position: q.orderPos})
	}
	return cols, notices, nil
}

// ViewRoot is Root without the columns that only its order needs.
func (q *Query) ViewRoot() rel.Node {
	s := q.Root.Schema()
	if len(s) == q.Visible {
		return q.Root
	}
	p := &rel.Project{Input: q.Root}
	for i, c := range s[:q.Visible] {
		p.Exprs = append(p.Exprs, &scalar.Column{Index: i, Typ: c.Type, Name: c.Name})
		p.Names = append(p.Names, c.Name)
	}
	return p
}

// checkNode refuses what cannot be maintained: functions whose value is not
// that of their arguments alone, limits, and relations computed when read.
func checkNode(n rel.Node) {
	var exprs []scalar.Expr
	switch n := n.(type) {
	case *rel.Scan:
		if n.System {
			fail(pgerr.Unsupported(0, "system relation %q in a materialized view", n.Name))
		}
	case *rel.Values:
		for _, r := range n.Rows {
			exprs = append(exprs, r...)
		}
	case *rel.Filter:
		exprs = n.Preds
	case *rel.Project:
		exprs = n.Exprs
	case *rel.Join:
		exprs = n.On
	case *rel.GroupBy:
		exprs = slices.Clone(n.Keys)
		for _, a := range n.Aggs {
			exprs = append(exprs, a.Args...)
			if a.Filter != nil {
				exprs = append(exprs, a.Filter)
			}
		}
	case *rel.TopK:
		fail(pgerr.Unsupported(0, "LIMIT or OFFSET in a materialized view"))
	}
	for _, e := range exprs {
		unstable := find(e, func(e scalar.Expr) bool {
			c, ok := e.(*scalar.Call)
			return ok && scalar.VolatilityOf(c) != scalar.Immutable &&
				!slices.ContainsFunc(c.Args, func(a scalar.Expr) bool { return scalar.VolatilityOf(a) != scalar.Immutable })
		})
		if unstable != nil {
			c := unstable.(*scalar.Call)
			what := "function " + c.Fn.Name
			if c.Fn.Operator {
				what = "operator " + signature(c.Fn.Name, c.Fn.Args)
			}
			if c.Fn.Volatility != scalar.Volatile && len(c.Args) > 0 {
				what = "conversion that depends on the session's time zone (" + c.Fn.ID + ")"
			}
			fail(pgerr.Unsupported(c.Pos, "%s in a materialized view", what))
		}
	}
	for _, in := range n.Inputs() {
		checkNode(in)
	}
}

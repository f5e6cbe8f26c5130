package binder

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/parser"
	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
)

// TestBind runs testdata/bind. Commands: bind (a query or DML), view (what
// CheckView says, names=(…)), scalar (an expression over table=…, assigned to
// column to=…), type.
func TestBind(t *testing.T) {
	c := testCatalog(t)
	datadriven.Walk(t, "testdata/bind", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			out, err := runBind(c, d)
			if err != nil {
				return errorText(err) + "\n"
			}
			return out
		})
	})
}

func runBind(c *catalog.Snapshot, d *datadriven.TestData) (string, error) {
	b := New(c, testOptions())
	switch d.Cmd {
	case "bind":
		return bindTree(c, b, d.Input)
	case "view":
		q, err := parseView(d.Input)
		if err != nil {
			return "", err
		}
		bound, err := b.BindQuery(q)
		if err != nil {
			return "", err
		}
		var names []string
		if arg, ok := d.Arg("names"); ok {
			names = arg.Vals
		}
		cols, notices, err := bound.CheckView(names)
		if err != nil {
			return "", err
		}
		var sb strings.Builder
		for _, col := range cols {
			fmt.Fprintf(&sb, "%s %s\n", col.Name, col.Type)
		}
		for _, n := range notices {
			fmt.Fprintf(&sb, "%s @%d: %s\n", n.Severity, n.Position, n.Message)
		}
		return sb.String() + rel.String(bound.ViewRoot()), nil
	case "scalar":
		return bindScalarTest(c, b, d)
	case "type":
		n, err := parser.ParseTypeName(d.Input)
		if err != nil {
			return "", err
		}
		typ, err := b.ResolveType(n)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s %d\n", typ, typ.Mod), nil
	}
	return "", fmt.Errorf("unknown command %s", d.Cmd)
}

func bindScalarTest(c *catalog.Snapshot, b *Binder, d *datadriven.TestData) (string, error) {
	e, err := parser.ParseExpr(d.Input)
	if err != nil {
		return "", err
	}
	r := &catalog.Relation{}
	if arg, ok := d.Arg("table"); ok {
		r = c.Lookup("public", arg.Vals[0], nil)
	}
	x, err := b.BindScalar(e, r.Columns, r.Name)
	if err != nil {
		return "", err
	}
	if arg, ok := d.Arg("to"); ok {
		col := r.Columns[columnIndex(r, arg.Vals[0], 0)]
		if x, err = b.CoerceAssign(x, col.Type, col.Name, 0); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%s : %s\n", scalar.String(x), x.Type()), nil
}

func bindTree(c *catalog.Snapshot, b *Binder, text string) (string, error) {
	p, err := parser.Parse(text)
	if err != nil {
		return "", err
	}
	var d *DML
	switch s := p[0].Stmt.(type) {
	case *ast.Query:
		q, err := b.BindQuery(s.Select)
		if err != nil {
			return "", err
		}
		return queryString(c, q), checkTree(q.Root)
	case *ast.Insert:
		d, err = b.BindInsert(s)
	case *ast.Update:
		d, err = b.BindUpdate(s)
	case *ast.Delete:
		d, err = b.BindDelete(s)
	default:
		return "", fmt.Errorf("cannot bind %T", s)
	}
	if err != nil {
		return "", err
	}
	return dmlString(c, d), checkTree(d.Source)
}

func queryString(c *catalog.Snapshot, q *Query) string {
	var sb strings.Builder
	if len(q.Order) > 0 {
		fmt.Fprintf(&sb, "order: %s\n", rel.OrderString(q.Order))
	}
	if q.Limit != nil {
		fmt.Fprintf(&sb, "limit: %s\n", scalar.String(q.Limit))
	}
	if q.Offset != nil {
		fmt.Fprintf(&sb, "offset: %s\n", scalar.String(q.Offset))
	}
	if n := len(q.Root.Schema()); n != q.Visible {
		fmt.Fprintf(&sb, "visible: %d of %d\n", q.Visible, n)
	}
	sb.WriteString(rel.String(q.Root))
	depString(&sb, c, q.Deps)
	return sb.String()
}

func depString(sb *strings.Builder, c *catalog.Snapshot, deps []catalog.ID) {
	var names []string
	for _, d := range deps {
		names = append(names, c.Relation(d).Name)
	}
	if names != nil {
		fmt.Fprintf(sb, "deps: %s\n", strings.Join(names, ", "))
	}
}

func dmlString(c *catalog.Snapshot, d *DML) string {
	var sb strings.Builder
	fmt.Fprintf(&sb, "%s %s\n", [...]string{"insert", "update", "delete"}[d.Kind], d.Relation.Name)
	sb.WriteString(rel.String(d.Source))
	list := func(what string, es []scalar.Expr) {
		if es == nil {
			return
		}
		var items []string
		for _, e := range es {
			items = append(items, scalar.String(e))
		}
		fmt.Fprintf(&sb, "%s: %s\n", what, strings.Join(items, ", "))
	}
	list("returning", d.Returning)
	if k := d.Conflict; k != nil {
		fmt.Fprintf(&sb, "conflict: %v\n", k.Columns)
		list("update", k.Update)
		if k.Where != nil {
			list("where", []scalar.Expr{k.Where})
		}
	}
	depString(&sb, c, d.Deps)
	return sb.String()
}

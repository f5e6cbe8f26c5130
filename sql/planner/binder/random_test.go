package binder

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/helios-sql/helios-sql/sql/parser"
	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/types"
)

// A maker writes random statements, most of which have a meaning.
type maker struct{ *rand.Rand }

func (m maker) pick(s ...string) string { return s[m.IntN(len(s))] }

// expr writes an expression of a kind: n number, s string, b boolean, d date or time.
func (m maker) expr(kind byte, depth int) string {
	if m.IntN(60) == 0 {
		kind = "nsbd"[m.IntN(4)] // a mistake
	}
	if depth <= 0 || m.IntN(6) == 0 {
		switch kind {
		case 'n':
			return m.pick("id", "amount", "user_id", "o.id", "u.uid", "1", "2.5", "-3", "10000000000", "NULL", "'5'", "1::float8", "2::int2", "$1")
		case 's':
			return m.pick("region", "name", "'x'", "'y'", "o.region", "u.name", "'z'::varchar(3)", "'c'::char(2)", "NULL")
		case 'b':
			return m.pick("active", "true", "NULL", "'f'", "o.active")
		}
		return m.pick("created", "o.created", "date '2020-01-01'", "timestamp '2020-01-01 10:00'", "created::date")
	}
	n := func() string { return m.expr('n', depth-1) }
	x := func() string { return m.expr('s', depth-1) }
	c := func() string { return m.expr('b', depth-1) }
	e := func() string { return m.expr(kind, depth-1) }
	switch m.IntN(8) {
	case 0:
		return "CASE WHEN " + c() + " THEN " + e() + " ELSE " + e() + " END"
	case 1:
		return m.pick("coalesce", "greatest", "least", "nullif") + "(" + e() + ", " + e() + ")"
	case 2:
		return "(" + e() + ")"
	}
	switch kind {
	case 'n':
		switch m.IntN(4) {
		case 0:
			return m.pick("sum", "min", "max", "avg", "count", "abs", "round", "count(DISTINCT id) +") + "(" + n() + ")"
		case 1:
			return "(" + n() + ")::" + m.pick("int4", "int8", "numeric", "numeric(10,2)", "float8")
		case 2:
			return m.pick("length", "ascii") + "(" + x() + ")"
		}
		return "(" + n() + m.pick(" + ", " - ", " * ", " / ") + n() + ")"
	case 's':
		switch m.IntN(3) {
		case 0:
			return m.pick("lower", "upper", "min", "max", "btrim") + "(" + x() + ")"
		case 1:
			return "(" + m.expr("nsbd"[m.IntN(4)], depth-1) + ")::" + m.pick("text", "varchar(3)", "text")
		}
		return "(" + x() + " || " + x() + ")"
	case 'b':
		k := "nsd"[m.IntN(3)]
		y := func() string { return m.expr(k, depth-1) }
		switch m.IntN(8) {
		case 0:
			return "(" + y() + m.pick(" IN (", " NOT IN (") + y() + ", " + y() + "))"
		case 1:
			return "(" + y() + " BETWEEN " + y() + " AND " + y() + ")"
		case 2:
			return "(" + y() + m.pick(" IS NULL", " IS NOT NULL") + ")"
		case 3:
			return "(" + x() + m.pick(" LIKE ", " ~ ") + x() + ")"
		case 4:
			return "((" + y() + ", " + n() + ") " + m.pick("=", "<", "<>") + " (" + y() + ", " + n() + "))"
		case 5:
			return "(NOT " + c() + m.pick(" AND ", " OR ") + c() + ")"
		case 6:
			return "(" + y() + " IS DISTINCT FROM " + y() + ")"
		}
		return "(" + y() + m.pick(" = ", " < ", " <> ", " >= ") + y() + ")"
	}
	return m.pick("date_trunc('day', ", "min(", "max(") + e() + ")"
}

func (m maker) any(depth int) string { return m.expr("nsbd"[m.IntN(4)], depth) }

func (m maker) query(depth int) string {
	var sb strings.Builder
	sb.WriteString("SELECT " + m.pick("", "DISTINCT ") + m.any(3) + " AS a, " + m.any(2) + " AS b")
	if m.IntN(4) == 0 {
		sb.WriteString(", *")
	}
	from := m.pick("orders o, (SELECT id AS uid, name FROM users) u", "orders o LEFT JOIN (SELECT id AS uid, name FROM users) u ON "+m.expr('b', 1), "orders o FULL JOIN (SELECT id AS uid, id, name FROM users) u USING (id)", "orders o NATURAL JOIN (SELECT id AS uid, id, name FROM users) u")
	if depth > 0 && m.IntN(3) == 0 {
		from = "(SELECT id, region, amount, active, user_id, created FROM (" + m.query(depth-1) + ") x, orders) o, (SELECT id AS uid, name FROM users) u"
	}
	sb.WriteString(" FROM " + from)
	if m.IntN(2) == 0 {
		sb.WriteString(" WHERE " + m.expr('b', 2))
	}
	if m.IntN(3) == 0 {
		sb.WriteString(" GROUP BY " + m.pick("a", "1", "2, 1", "o.id", "o.id, uid", m.any(1)))
	}
	if m.IntN(3) == 0 {
		sb.WriteString(" ORDER BY " + m.pick("a", "2 DESC", m.any(1)))
	}
	if m.IntN(4) == 0 {
		sb.WriteString(" LIMIT " + m.pick("5", "$2", "NULL"))
	}
	q := sb.String()
	if depth > 0 && m.IntN(4) == 0 {
		q = "(" + q + ") UNION " + m.pick("", "ALL ") + "(" + m.query(depth-1) + ")"
	}
	return q
}

// TestRandom binds random statements: never a panic or an internal error, and
// what is bound keeps the promises of a tree.
func TestRandom(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	m := maker{rand.New(rand.NewPCG(seed, 0))}
	c := testCatalog(t)
	bound := 0
	for range 1000 {
		sql := m.query(2)
		p, err := parser.Parse(sql)
		if err != nil {
			continue
		}
		q, err := New(c, testOptions()).BindQuery(p[0].Stmt.(*ast.Query).Select)
		if err != nil {
			if pgerr.CodeOf(err) == pgerr.InternalError {
				t.Fatalf("%s\n%v", sql, err)
			}
			continue
		}
		bound++
		if err := checkTree(q.Root); err != nil {
			t.Fatalf("%s\n%s\n%v", sql, rel.String(q.Root), err)
		}
		if s := q.Root.Schema(); len(s) < q.Visible || len(q.Cols) != q.Visible || len(q.Origins) != q.Visible {
			t.Fatalf("%s\n%d columns, %d visible, %d described", sql, len(s), q.Visible, len(q.Cols))
		}
		for i, col := range q.Cols {
			if got := q.Root.Schema()[i].Type; got != col.Type {
				t.Fatalf("%s\ncolumn %d is described as %s and is %s", sql, i+1, col.Type, got)
			}
		}
	}
	if bound < 50 {
		t.Errorf("only %d statements had a meaning", bound)
	}
}

func TestDepth(t *testing.T) {
	var e ast.Expr = &ast.Const{Kind: ast.IntegerConst, Text: "1"}
	for range 10 * maxDepth {
		e = &ast.Op{Name: "+", L: e, R: &ast.Const{Kind: ast.IntegerConst, Text: "1"}}
	}
	if _, err := New(testCatalog(t), testOptions()).BindScalar(e, nil, ""); pgerr.CodeOf(err) != pgerr.StatementTooComplex {
		t.Errorf("got %v", err)
	}
}

// TestParamTypes: what the client says of a parameter counts.
func TestParamTypes(t *testing.T) {
	for _, test := range []struct {
		sql    string
		given  []types.OID
		params string
		code   pgerr.Code
	}{
		{"SELECT $1 + 1", []types.OID{types.Int8}, "[bigint]", ""},
		{"SELECT $1", []types.OID{types.Numeric, types.Text}, "[numeric text]", ""},
		{"SELECT id FROM orders WHERE id = $1", []types.OID{0}, "[bigint]", ""},
		{"SELECT id FROM orders WHERE id = $1", []types.OID{types.Unknown}, "[bigint]", ""},
		{"SELECT id FROM orders WHERE id = $1", []types.OID{types.Text}, "", pgerr.UndefinedFunction},
		{"SELECT 1", []types.OID{0}, "", pgerr.IndeterminateDatatype},
	} {
		o := testOptions()
		o.ParamTypes = test.given
		q, err := New(testCatalog(t), o).BindQuery(parseSelect(t, test.sql))
		if err != nil {
			if pgerr.CodeOf(err) != test.code {
				t.Errorf("%s %v: %v", test.sql, test.given, err)
			}
			continue
		}
		if got := fmt.Sprint(q.Params); got != test.params {
			t.Errorf("%s %v: got %s", test.sql, test.given, got)
		}
	}
}

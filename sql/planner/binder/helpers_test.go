package binder

import (
	"fmt"
	"strings"
	"testing"

	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/parser"
	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
)

// testDDL are the relations of the tests, one per line: name (columns), as
// PostgreSQL takes it. A view's line has AS.
const testDDL = `
orders (id int8 PRIMARY KEY, region text NOT NULL DEFAULT 'eu', amount numeric(10,2), active bool, user_id int4, created timestamp)
users (id int4 PRIMARY KEY, name text)
items (order_id int8, line int4, name text, qty int2, id int4, PRIMARY KEY (order_id, line))
small (id int2)
nums (i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric)
chars (v varchar(5), c char(3), q "char")
docs (id int8, doc jsonb, j json, uid uuid)
odd ("Weird Name" int4, code text, day date, b bytea)
codes (code varchar(10), label text)
big_orders AS SELECT id, region, amount AS total FROM orders WHERE amount > 100
`

// testCatalog makes the catalog of testDDL, with further relations that
// PostgreSQL does not have.
func testCatalog(t testing.TB) *catalog.Snapshot {
	c := catalog.New([]*catalog.Relation{{ID: 100, Schema: "pg_catalog", Name: "pg_namespace", Kind: catalog.System,
		Columns: types.Schema{{Name: "oid", Type: types.T(types.OIDType)}, {Name: "nspname", Type: types.T(types.Name)}}}})
	add := func(r *catalog.Relation) {
		r.ID, c = c.Allocate()
		r.Schema = "public"
		next, err := c.WithRelation(r)
		if err != nil {
			t.Fatal(err)
		}
		c = next
	}
	for line := range strings.Lines(testDDL) {
		line = strings.TrimSpace(line)
		if name, query, ok := strings.Cut(line, " AS "); ok && !strings.Contains(name, "(") {
			q, err := New(c, testOptions()).BindQuery(parseSelect(t, query))
			if err != nil {
				t.Fatal(err)
			}
			add(&catalog.Relation{Name: name, Kind: catalog.View, Query: query, Columns: q.Cols})
		} else if line != "" {
			add(tableOf(t, c, line))
		}
	}
	for _, k := range []catalog.Kind{catalog.SourceTable, catalog.MaterializedView} {
		r := *tableOf(t, c, "x (id int8 PRIMARY KEY, v text)")
		r.Kind, r.Name = k, map[catalog.Kind]string{catalog.SourceTable: "captured", catalog.MaterializedView: "kept"}[k]
		add(&r)
	}
	return c
}

func tableOf(t testing.TB, c *catalog.Snapshot, line string) *catalog.Relation {
	p, err := parser.Parse("CREATE TABLE " + line)
	if err != nil {
		t.Fatal(err)
	}
	ct := p[0].Stmt.(*ast.CreateTable)
	r := &catalog.Relation{Name: ct.Name[0], Kind: catalog.Table, Defaults: make([]string, len(ct.Columns))}
	for i, col := range ct.Columns {
		typ, err := New(c, testOptions()).ResolveType(col.Type)
		if err != nil {
			t.Fatal(err)
		}
		r.Columns = append(r.Columns, types.Column{Name: col.Name, Type: typ, NotNull: col.NotNull || col.PrimaryKey})
		r.Defaults[i] = col.DefaultText
		if col.PrimaryKey {
			r.Key = append(r.Key, i)
		}
	}
	for _, k := range ct.PrimaryKey {
		r.Key = append(r.Key, columnIndex(r, k, 0))
	}
	return r
}

func parseSelect(t testing.TB, text string) *ast.Select {
	q, err := parseView(text)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func parseView(text string) (*ast.Select, error) {
	p, err := parser.Parse(text)
	if err != nil {
		return nil, err
	}
	q, ok := p[0].Stmt.(*ast.Query)
	if !ok {
		return nil, fmt.Errorf("not a query: %s", text)
	}
	return q.Select, nil
}

func testOptions() Options {
	return Options{SearchPath: []string{"public"}, ParseView: parseView}
}

// errorText shows an error as the tests record it.
func errorText(err error) string {
	e := pgerr.Flatten(err)
	s := fmt.Sprintf("ERROR %s @%d: %s", e.Code, e.Position, e.Message)
	if e.Detail != "" {
		s += "\n  DETAIL: " + e.Detail
	}
	if e.Hint != "" {
		s += "\n  HINT: " + e.Hint
	}
	return s
}

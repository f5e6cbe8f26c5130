package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/helios-sql/helios-sql/internal/pgtest"
)

// standInTypes are the types of columns of system relations, by
// PostgreSQL's own that we do not have; domains show their base types.
var standInTypes = map[string]string{
	"regtype[]": "oid[]", "xid": "oid", "int2vector": "text", "oidvector": "text", "pg_node_tree": "text",
	"aclitem[]": "text[]", "anyarray": "text", "pg_lsn": "text", "inet": "text", "pg_statistic[]": "text[]", "pg_ndistinct": "text",
	"pg_dependencies": "text", "pg_mcv_list": "text",
}

// TestSystemColumns compares the system relations' columns with PostgreSQL's.
func TestSystemColumns(t *testing.T) {
	theirs := map[string]string{}
	for _, row := range query(t, `SELECT n.nspname || '.' || c.relname, string_agg(a.attname || ' ' ||
			format_type(CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END, CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END), ', ' ORDER BY attnum)
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid
		WHERE n.nspname IN ('pg_catalog', 'information_schema') AND c.relkind IN ('r', 'v') AND a.attnum > 0 GROUP BY 1`) {
		cols := strings.Split(row[1], ", ")
		for i, c := range cols {
			name, typ, _ := strings.Cut(c, " ")
			if s, ok := standInTypes[typ]; ok {
				cols[i] = name + " " + s
			}
		}
		theirs[row[0]] = strings.Join(cols, ", ")
	}
	s := start(t, t.TempDir())
	defer s.close()
	compared := 0
	for _, r := range s.engine.Catalog().Relations() {
		if r.Schema != "pg_catalog" && r.Schema != "information_schema" {
			continue
		}
		var cols []string
		for _, c := range r.Columns {
			cols = append(cols, fmt.Sprintf("%s %s", c.Name, c.Type))
		}
		name := r.Schema + "." + r.Name
		if got := strings.Join(cols, ", "); got != theirs[name] {
			t.Errorf("%s\n has %s\nwant %s", name, got, theirs[name])
		}
		compared++
	}
	if compared < 150 {
		t.Errorf("only %d relations", compared)
	}
}

// query runs one statement on a PostgreSQL server of the test's own.
func query(t *testing.T, sql string) [][]string {
	t.Helper()
	rs, err := pgtest.Start(t).MustConnect(t, "").PgConn().Exec(context.Background(), sql).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out [][]string
	for _, row := range rs[0].Rows {
		var r []string
		for _, v := range row {
			r = append(r, string(v))
		}
		out = append(out, r)
	}
	return out
}

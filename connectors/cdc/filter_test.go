package cdc

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// needFilters ends a test of filters where the server has none, after it has
// seen that they are refused there.
func needFilters(t *testing.T, db string) bool {
	if server.Major() >= 15 {
		return true
	}
	server.MustExec(t, db, "CREATE TABLE a (id int PRIMARY KEY)")
	cfg := testConfig(server, db, "a")
	cfg.TableSpecs[0].Where = "id > 1"
	if _, err := Validate(t.Context(), cfg); pgerr.CodeOf(err) != pgerr.FeatureNotSupported {
		t.Fatal(err)
	}
	return false
}

// Every way of a row into, within and out of a filter.
func TestFilter(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	if !needFilters(t, db) {
		return
	}
	server.MustExec(t, db, `CREATE TABLE f (id int PRIMARY KEY, status text, amount numeric, note text); ALTER TABLE f REPLICA IDENTITY FULL; ALTER TABLE f ALTER note SET STORAGE EXTERNAL;
		CREATE TABLE k (id int PRIMARY KEY, v text); CREATE TABLE plain (id int PRIMARY KEY);
		CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100); CREATE TABLE p2 PARTITION OF p DEFAULT;
		INSERT INTO f SELECT i, (ARRAY['open', 'x', NULL])[1 + i % 3], i, repeat('n', 3000) FROM generate_series(1, 300) i;
		INSERT INTO k SELECT i, 'v' FROM generate_series(1, 100) i; INSERT INTO p SELECT i, 'v' FROM generate_series(1, 200) i; INSERT INTO plain VALUES (1)`)
	filters := []string{"status <> 'x' AND amount < 250", "id % 2 = 0", "", "id > 50"}
	cfg := testConfig(server, db, "f", "k", "plain", "p")
	for i, f := range filters {
		cfg.TableSpecs[i].Where = f
	}
	d, err := Validate(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(d.Pinned(cfg))
	if err != nil {
		t.Fatal(err)
	}
	cfg = Config{}
	if err := json.Unmarshal(b, &cfg); err != nil {
		t.Fatal(err)
	}
	if n := server.MustQuery(t, db, "SELECT count(*) FROM pg_publication"); n != "0" {
		t.Fatalf("Validate left %s publications", n)
	}
	c := start(t, server, db, cfg)
	same := func() {
		t.Helper()
		c.sync()
		for i, spec := range cfg.TableSpecs {
			where := filters[i]
			if where == "" {
				where = "true"
			}
			var want []string
			for _, r := range c.query("SELECT * FROM " + spec.Name + " WHERE " + where) {
				want = append(want, strings.Join(r, "|")+"|")
			}
			slices.Sort(want)
			if got := c.text(i); !slices.Equal(got, want) {
				t.Fatalf("table %s: %d rows, want %d\n%s", spec.Name, len(got), len(want), difference(got, want))
			}
		}
		if len(c.errs) > 0 {
			t.Fatal(c.errs)
		}
	}
	same()
	for _, sql := range []string{
		"INSERT INTO f VALUES (1001, 'open', 1, 'in'), (1002, 'x', 1, 'out'), (1003, NULL, 1, 'neither'), (1004, 'open', 1000, 'out'); INSERT INTO k VALUES (1000, 'in'), (1001, 'out'); INSERT INTO p VALUES (1, 'x') ON CONFLICT DO NOTHING",
		"UPDATE f SET status = 'done' WHERE id % 10 = 1",                    // within, and in from NULL and from x
		"UPDATE f SET status = 'x' WHERE id % 10 = 2",                       // out, and outside
		"UPDATE f SET status = NULL WHERE id % 10 = 3",                      // out to unknown
		"UPDATE f SET amount = amount + 200; UPDATE f SET amount = -amount", // out, and in again with an unchanged TOASTed value
		"UPDATE f SET id = id + 5000 WHERE id % 7 = 0",
		"UPDATE k SET v = 'w'; UPDATE k SET id = id + 2001; DELETE FROM k WHERE id % 5 = 0; UPDATE k SET v = 'z' WHERE id % 3 = 0",
		"UPDATE p SET id = 1000 - id; UPDATE p SET id = id - 900 WHERE id > 900; DELETE FROM p WHERE id % 3 = 0; UPDATE p SET v = 'y'",
		"BEGIN; UPDATE f SET status = 'x'; UPDATE f SET status = 'open' WHERE id % 2 = 0; DELETE FROM f WHERE id % 4 = 0; COMMIT",
		"DELETE FROM f WHERE id % 3 = 0; TRUNCATE k; INSERT INTO k SELECT i, 'n' FROM generate_series(1, 9) i",
	} {
		c.exec(sql)
		same()
	}
	c.resume()
	c.exec("UPDATE f SET status = 'x' WHERE id % 5 = 0; INSERT INTO k VALUES (10, 'a'), (11, 'b')")
	same()
	c.stop()
	if err := DropSlot(t.Context(), c.cfg, true); err != nil {
		t.Fatal(err)
	}
	if n := server.MustQuery(t, db, "SELECT count(*) FROM pg_publication"); n != "0" {
		t.Fatal("the publication is still there")
	}
}

// The library's events of rows that cross the filter.
func TestFilterEvents(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	if !needFilters(t, db) {
		return
	}
	server.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY, s text); INSERT INTO a VALUES (1, 'one'), (20, 'twenty'); CREATE TABLE b (id int PRIMARY KEY, v text); ALTER TABLE b ALTER v SET STORAGE EXTERNAL;
		INSERT INTO b VALUES (1, repeat('v', 3000))`)
	src, err := NewSource(eventsConfig(db, "a WHERE (id < 10 OR s = 'never')"))
	if err != nil {
		t.Fatal(err)
	}
	if err := src.Start(t.Context()); pgerr.CodeOf(err) != pgerr.InvalidColumnReference || !strings.Contains(err.Error(), `"s"`) {
		t.Fatalf("a filter outside of the identity: %v", err)
	}
	server.MustExec(t, db, "UPDATE a SET s = 'Twenty' WHERE id = 20") // is not hindered
	r := startReader(t, eventsConfig(db, "a WHERE (id < 10)", "b where (id > 10)"), nil)
	r.expect("read a@1 after(id=1 s=one)")
	server.MustExec(t, db, "INSERT INTO a VALUES (30, 'out'); UPDATE a SET id = 2 WHERE id = 20; UPDATE a SET s = 'x'; UPDATE a SET id = 40 WHERE id = 1; DELETE FROM a WHERE id > 5; DELETE FROM a")
	r.expect("create a@1 after(id=2 s=Twenty)", "update a@1 after(id=1 s=x)", "update a@1 after(id=2 s=x)", "delete a@1 before(id=1 s=?)", "delete a@1 before(id=2 s=?)")
	// A row that comes in without a value that the server has not sent is no guess.
	server.MustExec(t, db, "INSERT INTO b VALUES (12, 'whole')")
	r.expect("create b@1 after(id=12 v=whole)")
	server.MustExec(t, db, "UPDATE b SET id = 11 WHERE id = 1; INSERT INTO a VALUES (3, 'goes on')")
	_, err = r.next()
	var of *TableError
	if !errors.As(err, &of) || of.Table != "b" || pgerr.CodeOf(err) != pgerr.FeatureNotSupported || !strings.Contains(err.Error(), `"v"`) {
		t.Fatalf("a row without a value: %v", err)
	}
	r.expect("create a@1 after(id=3 s=goes on)")
}

// What a filter may not be, and publications that others made.
func TestFilterRefused(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	if !needFilters(t, db) {
		return
	}
	server.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY, s text); CREATE FUNCTION own(int) RETURNS bool LANGUAGE sql IMMUTABLE RETURN true; INSERT INTO a VALUES (1, 'x'), (7, 'y');
		CREATE PUBLICATION whole FOR TABLE a; CREATE PUBLICATION filtered FOR TABLE a WHERE (id > 5)`)
	for _, c := range []struct {
		where, publication string
		code               pgerr.Code
		text               string
	}{
		{"(nosuch = 1)", "", pgerr.UndefinedColumn, `column "nosuch" does not exist`},
		{"(id = )", "", pgerr.SyntaxError, "syntax error"},
		{"(id)", "", pgerr.DatatypeMismatch, "must be type boolean"},
		{"(random() < 0.5)", "", pgerr.FeatureNotSupported, "invalid publication WHERE expression"},
		{"(own(id))", "", pgerr.FeatureNotSupported, "invalid publication WHERE expression"},
		{"(id IN (SELECT 1))", "", "", "publication WHERE"},
		{"(s = 'x')", "", pgerr.InvalidColumnReference, `cannot filter table "public"."a" by column "s"`},
		{"(id > 5)", "whole", pgerr.FeatureNotSupported, "which the existing publication"},
		{"(id > 6)", "filtered", pgerr.FeatureNotSupported, "which the existing publication"},
		{"(id > 5)", "filtered", "", ""},
		{"", "filtered", "", ""},
		{"(id > 5)", "", "", ""},
	} {
		spec := connectors.Spec{Name: "x_" + db, Connection: server.DSN(db), Tables: []connectors.TableSpec{{Schema: "public", Name: "a", Where: c.where, Pos: 42}}}
		if c.publication != "" {
			spec.Options = []connectors.Option{{Name: "publication_name", Value: c.publication}}
		}
		_, err := Connector{}.Create(t.Context(), spec)
		if c.text == "" {
			if err != nil {
				t.Errorf("%s: %v", c.where, err)
			}
			continue
		}
		var e *pgerr.Error
		if !errors.As(err, &e) || c.code != "" && e.Code != c.code || !strings.Contains(e.Message+e.Detail, c.text) || e.Position != 42 {
			t.Errorf("%s: %s %+v", c.where, pgerr.CodeOf(err), err)
		}
	}
	for _, name := range []string{"a WHERE", "a WHERE id > 1", "a WHERE (id", "a WHERE id)", "a WHEREVER (id)", "a (id) b"} {
		if _, err := ParseTable(name); pgerr.CodeOf(err) != pgerr.InvalidName {
			t.Errorf("%s: %v", name, err)
		}
	}
	spec, err := ParseTable(`"A".b (id, "X") wHere (x = ')' ) `)
	if err != nil || spec.String() != `"A"."b"` || len(spec.Columns) != 2 || spec.Where != "(x = ')' )" {
		t.Errorf("%+v, %v", spec, err)
	}
}

package cdc

import (
	"slices"
	"strconv"
	"testing"
)

// Every type's values are inserted before the snapshot and again after it, and
// are read back as PostgreSQL prints them.
func TestTypes(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	ddl, sql, id := server.ValuesTable(t, db)
	server.MustExec(t, db, ddl)
	server.MustExec(t, db, sql)
	c := start(t, server, db, testConfig(server, db, "v"))
	c.same()
	if n := len(c.text(0)); n != id {
		t.Fatalf("%d rows, want %d", n, id)
	}
	before := c.text(0)
	c.exec("CREATE TABLE w AS SELECT * FROM v; TRUNCATE v")
	c.same()
	c.exec(sql)
	c.same()
	if after := c.text(0); !slices.Equal(before, after) {
		t.Fatalf("the stream's rows differ from the snapshot's:\n%s", difference(after, before))
	}
	c.mu.Lock()
	streamed := c.rows[0]
	c.rows[0] = nil
	c.mu.Unlock()
	c.stop()
	// And the packed rows are the same bytes either way.
	if err := DropSlot(t.Context(), c.cfg, false); err != nil {
		t.Fatal(err)
	}
	c.mirror = &mirror{}
	c.run(nil)
	c.same()
	c.mu.Lock()
	defer c.mu.Unlock()
	for r := range streamed {
		if c.rows[0][r] != 1 {
			t.Fatalf("row %x of the stream is not in the snapshot", r)
		}
	}
}

// Events give the same values: Text is what PostgreSQL prints.
func TestTypesEvents(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	ddl, sql, n := server.ValuesTable(t, db)
	server.MustExec(t, db, ddl)
	server.MustExec(t, db, sql)
	r := startReader(t, eventsConfig(db, "v"), nil)
	conn := server.MustConnect(t, db).PgConn()
	rows, err := conn.Exec(t.Context(), "SELECT * FROM v ORDER BY id").ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := rows[0].Rows
	check := func(typ EventType) {
		t.Helper()
		for i := range n {
			e, err := r.next()
			if err != nil || e.Type != typ {
				t.Fatalf("row %d: %+v, %v", i, e, err)
			}
			row := e.After()
			id, ok := row.Int64(0)
			if !ok || id < 1 || id > int64(n) {
				t.Fatalf("row %d has id %d", i, id)
			}
			for c := range row.Len() {
				w := want[id-1][c]
				if row.Null(c) != (w == nil) || row.Text(c) != string(w) {
					t.Errorf("%v of %s: got %.100q, want %.100q", typ, row.Columns()[c].TypeName, row.Text(c), w)
				}
			}
			want[id-1][0] = []byte("seen")
		}
		for _, w := range want {
			if string(w[0]) != "seen" {
				t.Fatalf("row %s did not come", w[0])
			}
		}
	}
	check(Read)
	server.MustExec(t, db, "TRUNCATE v")
	r.expect("truncate v@1")
	server.MustExec(t, db, sql)
	for i := range want {
		want[i][0] = []byte(strconv.Itoa(i + 1))
	}
	check(Create)
}

package laws

import (
	"fmt"
	"strings"
	"testing"

	"github.com/helios-sql/helios-sql/internal/pgtest"
)

// TestValues captures a table with a column of every type, one of 1,600 columns
// and one with values of 20 MB, before and after the snapshot, and reads them
// and a view: all is as PostgreSQL prints it.
func TestValues(t *testing.T) {
	pg := pgtest.Start(t)
	db := pg.CreateDatabase(t)
	c := pg.MustConnect(t, db).PgConn()
	ddl, dml, n := pg.ValuesTable(t, db)
	must(t, c, ddl)
	must(t, c, dml)
	var wide strings.Builder
	for i := 1; i < 1600; i++ {
		fmt.Fprintf(&wide, ", w%d int DEFAULT %d", i, i)
	}
	must(t, c, "CREATE TABLE wide (id int PRIMARY KEY"+wide.String()+"); INSERT INTO wide VALUES (1), (2); CREATE TABLE big (id int PRIMARY KEY, v text, n int)")
	must(t, c, "INSERT INTO big SELECT 1, repeat(string_agg(md5(i::text), ''), 20), 0 FROM generate_series(1, 32768) i")
	s := newServer(t)
	s.start()
	h := s.connect()
	must(t, h, "CREATE SOURCE src FROM CDC CONNECTION "+quote(pg.DSN(db))+" TABLES (v, wide, big)")
	must(t, h, "CREATE MATERIALIZED VIEW odd AS SELECT * FROM v WHERE id % 2 = 1")
	must(t, c, "ALTER TABLE v DROP g") // the source does not have it
	compare := func(when string) {
		t.Helper()
		must(t, h, "SET helios.min_lsn = '"+currentLSN(t, c)+"'")
		want := must(t, c, "SELECT * FROM v")
		if len(want) != n {
			t.Fatalf("%s: %d rows, want %d", when, len(want), n)
		}
		if d := differ(must(t, h, "SELECT * FROM v"), want); d != "" {
			t.Errorf("%s\n%s", when, d)
		}
		for _, table := range []string{"wide", "big"} {
			if d := differ(must(t, h, "SELECT * FROM "+table), must(t, c, "SELECT * FROM "+table)); d != "" {
				t.Errorf("%s\n%s", when, d)
			}
		}
		if d := differ(must(t, h, "SELECT * FROM odd"), must(t, c, "SELECT * FROM v WHERE id % 2 = 1")); d != "" {
			t.Errorf("%s, the view\n%s", when, d)
		}
	}
	compare("snapshot")
	must(t, c, "TRUNCATE v")
	must(t, c, dml)
	must(t, c, "UPDATE wide SET w1599 = NULL WHERE id = 1; UPDATE big SET n = 1; INSERT INTO big SELECT 2, v, n FROM big")
	compare("stream")
	s.Kill()
	s.start()
	h = s.connect()
	compare("restart")
	must(t, c, fmt.Sprintf("UPDATE v SET id = id + %d", n))
	must(t, c, fmt.Sprintf("UPDATE v SET id = id - %d", n))
	compare("updates")
}

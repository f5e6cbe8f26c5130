package laws

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/helios-sql/helios-sql/internal/pgtest"
)

// Rows that come or go with a partition are not in the source's log; views are
// right again soon, while changes go on, and after a kill.
func TestPartitionsComeAndGo(t *testing.T) {
	pg := pgtest.Start(t)
	db := pg.CreateDatabase(t)
	c := pg.MustConnect(t, db).PgConn()
	must(t, c, `CREATE TABLE p (id int PRIMARY KEY, n int) PARTITION BY RANGE (id); CREATE TABLE bag (a int, b int) PARTITION BY LIST (a); ALTER TABLE bag REPLICA IDENTITY FULL;
		CREATE TABLE bag1 PARTITION OF bag DEFAULT; ALTER TABLE bag1 REPLICA IDENTITY FULL; INSERT INTO bag SELECT i % 3, i % 2 FROM generate_series(1, 20) i`)
	for i := range 8 {
		must(t, c, fmt.Sprintf("CREATE TABLE p%d PARTITION OF p FOR VALUES FROM (%d) TO (%d)", i, i*100, (i+1)*100))
	}
	must(t, c, "INSERT INTO p SELECT i, 1 FROM generate_series(0, 799) i")
	s := newServer(t, "--memory", "64MB", "--checkpoint-interval", "20ms")
	s.start()
	h := s.connect()
	must(t, h, "CREATE SOURCE src FROM CDC CONNECTION "+quote(pg.DSN(db))+" TABLES (p, bag) WITH (poll_interval = '10ms')")
	must(t, h, "CREATE MATERIALIZED VIEW sums AS SELECT id / 100 AS part, count(*) AS c, sum(n) AS s FROM p GROUP BY id / 100")
	must(t, h, "CREATE MATERIALIZED VIEW bags AS SELECT a, count(*) AS c FROM bag GROUP BY a")
	queries := [][2]string{
		{"SELECT id, n FROM p", "SELECT id, n FROM p"}, {"SELECT part, c, s FROM sums", "SELECT id / 100, count(*), sum(n) FROM p GROUP BY 1"},
		{"SELECT a, b, count(*) FROM bag GROUP BY a, b", "SELECT a, b, count(*) FROM bag GROUP BY a, b"}, {"SELECT a, c FROM bags", "SELECT a, count(*) FROM bag GROUP BY a"},
	}
	for i, step := range []string{
		"ALTER TABLE p DETACH PARTITION p1",
		"DROP TABLE p2",
		"ALTER TABLE p DETACH PARTITION p3 CONCURRENTLY",
		"TRUNCATE p4",
		"TRUNCATE bag1",
		"CREATE TABLE p9 (LIKE p INCLUDING ALL); INSERT INTO p9 SELECT i, 9 FROM generate_series(900, 950) i; ALTER TABLE p ATTACH PARTITION p9 FOR VALUES FROM (900) TO (1000); UPDATE p SET n = n + 1 WHERE id > 920",
		"ALTER TABLE p DETACH PARTITION p6; CREATE TABLE p6b PARTITION OF p FOR VALUES FROM (600) TO (700); INSERT INTO p SELECT i, 6 FROM generate_series(610, 620) i; INSERT INTO bag VALUES (7, 7)",
		"kill",
	} {
		if step == "kill" {
			s.Kill()
			step = "ALTER TABLE p DETACH PARTITION p7"
		}
		must(t, c, step)
		must(t, c, fmt.Sprintf("UPDATE p SET n = n + %d WHERE id IN (1, 2, 3, 501, 502)", i))
		if !s.Running() {
			s.start()
			h = s.connect()
		}
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			var differs []string
			for _, q := range queries {
				got, err := ask(t.Context(), h, q[0])
				if err != nil { // a change of a row that is not here yet
					got = []string{err.Error()}
				}
				if d := differ(got, must(t, c, q[1])); d != "" {
					differs = append(differs, q[0]+"\n"+d)
				}
			}
			if len(differs) == 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("after %s\n%.2000s", step, strings.Join(differs, "\n"))
			}
		}
	}
	if errs := must(t, h, "SELECT name, last_error FROM helios.relations WHERE last_error IS NOT NULL"); len(errs) > 0 {
		t.Fatalf("stopped: %q", errs)
	}
	// One that cannot be copied with the columns that its view has stops.
	must(t, c, "BEGIN; ALTER TABLE bag DROP COLUMN b; ALTER TABLE bag DETACH PARTITION bag1; COMMIT")
	eventually(t, h, "SELECT count(*) FROM helios.relations WHERE name = 'bag' AND last_error IS NOT NULL", "1")
	if _, err := ask(t.Context(), h, "SELECT * FROM bags"); err == nil {
		t.Fatal("the view over it can be read")
	}
}

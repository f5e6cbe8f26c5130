package laws

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/helios-sql/helios-sql/internal/faultproxy"
	"github.com/helios-sql/helios-sql/internal/pgtest"
)

// caughtUp waits until table a here is what it is at its server.
func caughtUp(t *testing.T, h, c *pgconn.PgConn, tables ...string) {
	t.Helper()
	for _, table := range tables {
		diff := ""
		for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			if diff = differ(must(t, h, "SELECT * FROM "+table), must(t, c, "SELECT * FROM "+table)); diff == "" {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %s\n%q", table, diff, must(t, h, "SELECT name, state, lsn, last_error FROM helios.sources"))
			}
		}
	}
}

// The network between the two servers fails, and the source's server is
// restarted: the tables follow in the end, row for row.
func TestSourceThroughFaults(t *testing.T) {
	pg := pgtest.Start(t, pgtest.Setting("wal_sender_timeout", "2s"))
	db := pg.CreateDatabase(t)
	must(t, pg.MustConnect(t, db).PgConn(), `CREATE TABLE a (id serial PRIMARY KEY, v int); CREATE TABLE f (v int); ALTER TABLE f REPLICA IDENTITY FULL;
		INSERT INTO a (v) SELECT i FROM generate_series(1, 20000) i`)
	p := faultproxy.New(t, "127.0.0.1:"+strconv.Itoa(pg.Port))
	s := newServer(t)
	s.start()
	h := s.connect()
	p.AfterBytes(200_000, faultproxy.Hold) // within the snapshot
	must(t, h, fmt.Sprintf("CREATE SOURCE src FROM CDC CONNECTION %s TABLES (a, f) WITH (keepalive_timeout = '1s', max_step_rows = 500)",
		quote(strings.Replace(pg.TCP(db), strconv.Itoa(pg.Port), strconv.Itoa(p.Port()), 1))))
	must(t, h, "CREATE MATERIALIZED VIEW m AS SELECT v, count(*) AS n FROM f GROUP BY v")
	for i, fail := range []func() error{
		func() error { p.All(faultproxy.Reset); return nil },
		func() error { p.AfterBytes(100_000, faultproxy.Cut); return nil },
		func() error { p.All(faultproxy.Hold); return nil },
		pg.Stop, pg.StopImmediate,
	} {
		c := pg.MustConnect(t, db).PgConn()
		must(t, c, fmt.Sprintf("INSERT INTO f SELECT i %% 10 FROM generate_series(1, 100) i; BEGIN; UPDATE a SET v = v + %d WHERE id %% 2 = 0; INSERT INTO f SELECT v %% 10 FROM a WHERE id < 100; COMMIT", i))
		if err := fail(); err != nil {
			t.Fatal(err)
		}
		if err := pg.Exec(t.Context(), db, "SELECT 1"); err != nil {
			if err := pg.Restart(); err != nil {
				t.Fatal(err)
			}
		}
		c = pg.MustConnect(t, db).PgConn()
		must(t, c, "UPDATE a SET v = -v WHERE id % 100 = 0; DELETE FROM f WHERE v = 3")
		caughtUp(t, h, c, "a", "f")
		if d := differ(must(t, h, "SELECT * FROM m"), must(t, c, "SELECT v, count(*) AS n FROM f GROUP BY v")); d != "" {
			t.Fatalf("after fault %d: %s", i, d)
		}
	}
	if p.Pending() {
		t.Fatal("a fault was not met")
	}
}

// A source that is dropped while its server is away stays, as dropping, over
// restarts too, until its slot is gone.
func TestDropWhileAway(t *testing.T) {
	pg := pgtest.Start(t)
	db := pg.CreateDatabase(t)
	must(t, pg.MustConnect(t, db).PgConn(), "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1)")
	s := newServer(t)
	s.start()
	h := s.connect()
	create := fmt.Sprintf("CREATE SOURCE src FROM CDC CONNECTION %s TABLES (a)", quote(pg.DSN(db)))
	must(t, h, create)
	eventually(t, h, "SELECT count(*) FROM a", "1")
	if err := pg.Stop(); err != nil {
		t.Fatal(err)
	}
	must(t, h, "DROP SOURCE src")
	shown := func() {
		t.Helper()
		eventually(t, h, "SELECT name, state, last_error FROM helios.sources", "src", "dropping", "connecting to the source")
		eventually(t, h, "SHOW SOURCES", "src", "dropping")
	}
	shown()
	refused(t, h, create, "55006", "still being dropped")
	refused(t, h, "SELECT * FROM a", "42P01")
	s.stop()
	s.start()
	h = s.connect()
	shown()
	if err := pg.Restart(); err != nil {
		t.Fatal(err)
	}
	eventually(t, h, "SELECT count(*) FROM helios.sources", "0")
	c := pg.MustConnect(t, db).PgConn()
	if left := must(t, c, "SELECT slot_name FROM pg_replication_slots UNION ALL SELECT pubname FROM pg_publication"); len(left) > 0 {
		t.Fatalf("left behind: %q", left)
	}
	must(t, h, create)
	eventually(t, h, "SELECT count(*) FROM a", "1")
}

// A source goes on at a promoted server that has its slot, and remembers the
// timeline over restarts; a slot that another holds is waited for and shown.
func TestSourcePromoted(t *testing.T) {
	pg := pgtest.Start(t)
	db := pg.CreateDatabase(t)
	must(t, pg.MustConnect(t, db).PgConn(), "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1)")
	s := newServer(t)
	s.start()
	h := s.connect()
	must(t, h, fmt.Sprintf("CREATE SOURCE src FROM CDC CONNECTION %s TABLES (a)", quote(pg.DSN(db))))
	eventually(t, h, "SELECT count(*) FROM a", "1")
	for i := range 2 {
		if err := pg.Stop(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(pg.Dir, "data", "standby.signal"), nil, 0o666); err != nil {
			t.Fatal(err)
		}
		if err := pg.Restart(); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			eventually(t, h, "SELECT state, last_error FROM helios.sources", "retrying", "in recovery")
		}
		c := pg.MustConnect(t, db).PgConn()
		must(t, c, "SELECT pg_promote(true, 60)")
		must(t, c, fmt.Sprintf("INSERT INTO a VALUES (%d)", i+2))
		caughtUp(t, h, c, "a")
		s.stop()
		s.start()
		h = s.connect()
		must(t, c, fmt.Sprintf("INSERT INTO a VALUES (%d)", i+20))
		caughtUp(t, h, c, "a")
	}
	s.stop()
	c := pg.MustConnect(t, db).PgConn()
	must(t, c, "DO $$ BEGIN WHILE EXISTS (SELECT FROM pg_replication_slots WHERE active) LOOP PERFORM pg_sleep(0.01); END LOOP; END $$; SELECT pg_replication_slot_advance('helios_src', pg_current_wal_insert_lsn())")
	must(t, c, "INSERT INTO a VALUES (100); SELECT pg_drop_replication_slot('helios_src')")
	s.start()
	h = s.connect()
	eventually(t, h, "SELECT state, last_error FROM helios.sources", "failed", `replication slot "helios_src" does not exist`)
	eventually(t, h, "SELECT count(*) FROM a", "5") // as it was
}

// A source of the contents alone ends when they are in, and stays, over
// restarts and without its server; it leaves nothing there.
func TestInitialOnly(t *testing.T) {
	pg := pgtest.Start(t)
	db := pg.CreateDatabase(t)
	c := pg.MustConnect(t, db).PgConn()
	must(t, c, "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a SELECT generate_series(1, 1000)")
	must(t, c, "SELECT pg_create_logical_replication_slot('helios_src', 'test_decoding')")
	s := newServer(t)
	s.start()
	h := s.connect()
	must(t, h, fmt.Sprintf("CREATE SOURCE src FROM CDC CONNECTION %s TABLES (a) WITH (snapshot_mode = 'initial_only')", quote(pg.DSN(db))))
	must(t, h, "CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM a")
	eventually(t, h, "SELECT n FROM m", "1000")
	eventually(t, h, "SELECT state FROM helios.sources", "finished")
	must(t, c, "INSERT INTO a VALUES (0)")
	must(t, h, "SET helios.min_lsn = '"+currentLSN(t, c)+"'; SELECT * FROM m")
	if left := must(t, c, "SELECT slot_name FROM pg_replication_slots UNION ALL SELECT pubname FROM pg_publication"); len(left) != 1 {
		t.Fatalf("at the server: %q", left)
	}
	if err := pg.Stop(); err != nil {
		t.Fatal(err)
	}
	s.stop()
	s.start()
	h = s.connect()
	eventually(t, h, "SELECT state FROM helios.sources", "finished")
	eventually(t, h, "SELECT n FROM m", "1000")
	must(t, h, "DROP SOURCE src CASCADE")
	eventually(t, h, "SELECT count(*) FROM helios.sources", "0")
	if err := pg.Restart(); err != nil {
		t.Fatal(err)
	}
	if left := must(t, pg.MustConnect(t, db).PgConn(), "SELECT slot_name FROM pg_replication_slots"); len(left) != 1 {
		t.Fatalf("another's slot is gone: %q", left)
	}
}

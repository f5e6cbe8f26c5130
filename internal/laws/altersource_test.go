package laws

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/helios-sql/helios-sql/internal/pgtest"
)

// An alterer is a program with a source over one table, and the database.
type alterer struct {
	t    *testing.T
	pg   *pgtest.Server
	db   string
	c, h *pgconn.PgConn // to PostgreSQL and to the program
	s    *server
}

const alterSchema = `CREATE TABLE base (id int PRIMARY KEY, n int);
	INSERT INTO base SELECT i, 0 FROM generate_series(1, 100) i;
	CREATE TABLE more (id int PRIMARY KEY, grp int, pad text, big text);
	INSERT INTO more SELECT i, i % 10, 'r', repeat(md5(i::text), CASE WHEN i % 1000 = 0 THEN 200 ELSE 1 END) FROM generate_series(1, 30000) i;
	CREATE TABLE bag (a int, b text);
	ALTER TABLE bag REPLICA IDENTITY FULL;
	INSERT INTO bag SELECT i % 7, 'x' FROM generate_series(1, 500) i`

func newAlterer(t *testing.T, pg *pgtest.Server, options string) *alterer {
	t.Helper()
	a := &alterer{t: t, pg: pg, db: pg.CreateDatabase(t)}
	a.c = pg.MustConnect(t, a.db).PgConn()
	must(t, a.c, alterSchema)
	a.s = newServer(t, "--memory", "64MB", "--checkpoint-interval", "50ms")
	a.s.start()
	a.h = a.s.connect()
	if options == "" {
		options = fmt.Sprintf("WITH (slot_name = '%s', poll_interval = '10ms', max_step_rows = 500)", a.db)
	}
	must(t, a.h, "CREATE SOURCE src FROM CDC CONNECTION "+quote(pg.DSN(a.db))+" TABLES (base) "+options)
	must(t, a.h, "CREATE MATERIALIZED VIEW base_sum AS SELECT count(*) AS n, sum(n) AS s FROM base")
	t.Cleanup(func() { must(t, a.s.connect(), "DROP SOURCE IF EXISTS src CASCADE") }) // the slots are few
	return a
}

// same compares a query's answers at PostgreSQL's present position.
func (a *alterer) same(queries ...string) {
	a.t.Helper()
	must(a.t, a.h, "SET helios.min_lsn = '"+currentLSN(a.t, a.c)+"'")
	for _, q := range queries {
		ours, theirs, two := strings.Cut(q, " -- ")
		if !two {
			theirs = ours
		}
		if d := differ(must(a.t, a.h, ours), must(a.t, a.c, theirs)); d != "" {
			a.t.Errorf("%s\n%s", q, d)
		}
	}
	must(a.t, a.h, "SET helios.min_lsn = ''")
}

// write goes on writing to all tables until the result is called.
func (a *alterer) write() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var g sync.WaitGroup
	for w := range 2 {
		conn := a.pg.MustConnect(a.t, a.db).PgConn()
		g.Go(func() {
			for i := w; ctx.Err() == nil; i += 2 {
				sql := fmt.Sprintf(`BEGIN; UPDATE base SET n = n + 1 WHERE id = %d;
					UPDATE more SET grp = grp + 1 WHERE id = %d; DELETE FROM more WHERE id = %d; INSERT INTO more VALUES (%d, 3, 'new', 'y');
					INSERT INTO bag VALUES (%d, 'new'); UPDATE bag SET b = b || 'z' WHERE a = %d AND b = 'x'; COMMIT`,
					i%100+1, 1000*(i%30)+1000*w%2, i%29000+1, 40000+i, i%7, i%7)
				if i%50 == 7 { // more than a step
					sql += "; UPDATE more SET pad = pad || 'u' WHERE id % 20 = 3"
				}
				if _, err := conn.Exec(context.Background(), sql).ReadAll(); err != nil {
					var e *pgconn.PgError
					if !errors.As(err, &e) || e.Code != "40P01" {
						a.t.Error(err)
						return
					}
				}
			}
		})
	}
	return func() { cancel(); g.Wait() }
}

// published lists the tables of the source's publication.
func (a *alterer) published() string {
	return strings.Join(must(a.t, a.c, "SELECT tablename FROM pg_publication_tables WHERE pubname = "+quote(a.publication())+" ORDER BY 1"), " ")
}

func (a *alterer) publication() string { return "helios_src" }

// inTheMiddle runs a statement and gives control when it copies, held up by a
// lock; go on releases the lock.
func (a *alterer) inTheMiddle(sql, table string) (done chan error, cancel func(), goOn func()) {
	a.t.Helper()
	lock := a.pg.MustConnect(a.t, a.db).PgConn()
	must(a.t, lock, "BEGIN; LOCK TABLE "+table+" IN ACCESS EXCLUSIVE MODE")
	must(a.t, lock, "SELECT 1")
	h := a.s.connect()
	ctx, cancel := context.WithCancel(context.Background())
	a.t.Cleanup(cancel)
	done = make(chan error, 1)
	go func() {
		_, err := ask(ctx, h, sql)
		done <- err
	}()
	return done, cancel, func() { must(a.t, lock, "COMMIT") }
}

const (
	sameMore = "SELECT id, grp, pad, md5(big) FROM more"
	sameBag  = "SELECT a, b, count(*) FROM bag GROUP BY a, b"
	sameBase = "SELECT count(*) AS n, sum(n) AS s FROM base"
)

// TestAlterSource changes the tables of a running source.
func TestAlterSource(t *testing.T) {
	pg := pgtest.Start(t, pgtest.Setting("max_replication_slots", "20"), pgtest.Setting("max_wal_senders", "20"))

	t.Run("add", func(t *testing.T) {
		a := newAlterer(t, pg, "WITH (poll_interval = '10ms', max_step_rows = 500)")
		stop := a.write()
		var ticks atomic.Int64
		watched, unwatch := context.WithCancel(context.Background())
		var g sync.WaitGroup
		h2 := a.s.connect()
		g.Go(func() {
			last := ""
			for watched.Err() == nil {
				rows, err := ask(watched, h2, "SELECT s FROM base_sum")
				if err == nil && rows[0] != last {
					last = rows[0]
					ticks.Add(1)
				}
			}
		})
		must(t, a.h, "ALTER SOURCE src ADD TABLE public.more")
		must(t, a.h, "CREATE MATERIALIZED VIEW more_sum AS SELECT grp, count(*) AS n FROM more GROUP BY grp")
		must(t, a.h, "ALTER SOURCE src ADD TABLE bag AS sack")
		unwatch()
		g.Wait()
		if ticks.Load() < 3 {
			t.Errorf("the view over the other table moved %d times meanwhile", ticks.Load())
		}
		stop()
		a.same(sameMore, sameBase, "SELECT a, b, count(*) FROM sack GROUP BY a, b -- SELECT a, b, count(*) FROM bag GROUP BY a, b",
			"SELECT grp, n FROM more_sum -- SELECT grp, count(*) FROM more GROUP BY grp")
		if p := a.published(); p != "bag base more" {
			t.Errorf("published are %q", p)
		}
		refused(t, a.h, "ALTER SOURCE src ADD TABLE more", "42710", "already")
		must(t, a.h, "ALTER SOURCE src ADD TABLE IF NOT EXISTS more")
		// It is the same source after a restart, and goes on after a crash.
		must(t, a.c, "UPDATE more SET pad = 'later' WHERE id < 200; TRUNCATE bag")
		a.s.Kill()
		a.s.start()
		a.h = a.s.connect()
		a.same(sameMore, "SELECT a, b FROM sack -- SELECT a, b FROM bag", "SELECT grp, n FROM more_sum -- SELECT grp, count(*) FROM more GROUP BY grp")
	})

	t.Run("refused", func(t *testing.T) {
		a := newAlterer(t, pg, "")
		must(t, a.c, "CREATE TABLE keyless (a int); CREATE VIEW v AS SELECT 1 AS a")
		refused(t, a.h, "ALTER SOURCE nothere ADD TABLE more", "42704", "nothere")
		refused(t, a.h, "ALTER SOURCE src ADD TABLE missing", "42P01", "missing")
		refused(t, a.h, "ALTER SOURCE src ADD TABLE keyless", "55000", "REPLICA IDENTITY")
		refused(t, a.h, "ALTER SOURCE src ADD TABLE v", "42809", "view")
		refused(t, a.h, "ALTER SOURCE src ADD TABLE more (id, nocol)", "42703", "nocol")
		refused(t, a.h, "ALTER SOURCE src ADD TABLE more WHERE grp > 3", "42P10", "grp")
		refused(t, a.h, "ALTER SOURCE src ADD TABLE more WHERE nocol > 3", "42703", "nocol")
		refused(t, a.h, "ALTER SOURCE src ADD TABLE more AS base_sum", "42P07", "base_sum")
		refused(t, a.h, "ALTER SOURCE src ADD TABLE more AS nowhere.more", "3F000", "nowhere")
		refused(t, a.h, "ALTER SOURCE src DROP TABLE more", "42P01", "more")
		refused(t, a.h, "ALTER SOURCE src REFRESH TABLE more", "42P01", "more")
		refused(t, a.h, "ALTER SOURCE src DROP TABLE base CASCADE", "55000", "DROP SOURCE")
		must(t, a.h, "ALTER SOURCE src DROP TABLE IF EXISTS more")
		must(t, a.c, "UPDATE base SET n = n + 1")
		a.same("SELECT n, s FROM base_sum -- " + sameBase)
	})

	t.Run("filter", func(t *testing.T) {
		a := newAlterer(t, pg, "WITH (poll_interval = '10ms')")
		stop := a.write()
		must(t, a.h, "ALTER SOURCE src ADD TABLE more WHERE (id > 1000 AND id % 2 = 0)")
		must(t, a.h, "ALTER SOURCE src ADD TABLE bag")
		stop()
		same := sameMore + " -- " + sameMore + " WHERE id > 1000 AND id % 2 = 0"
		a.same(same, sameBag)
		a.s.Kill() // it is the same source after a restart
		a.s.start()
		a.h = a.s.connect()
		must(t, a.c, "UPDATE more SET id = id + 100000 WHERE id % 50 = 0; UPDATE more SET id = id - 200000 WHERE id % 70 = 0")
		a.same(same)
		must(t, a.h, "ALTER SOURCE src REFRESH TABLE more")
		a.same(same)
		must(t, a.h, "ALTER SOURCE src DROP TABLE more; ALTER SOURCE src ADD TABLE more WHERE (id < 500)")
		a.same(sameMore + " -- " + sameMore + " WHERE id < 500")
	})

	t.Run("publication of another", func(t *testing.T) {
		a := newAlterer(t, pg, "")
		must(t, a.c, "CREATE PUBLICATION theirs FOR TABLE base WITH (publish_via_partition_root = true)")
		must(t, a.h, "DROP SOURCE src CASCADE; CREATE SOURCE src FROM CDC CONNECTION "+quote(pg.DSN(a.db))+
			" TABLES (base) WITH (publication_name = 'theirs', slot_name = 'of_theirs')")
		must(t, a.h, "SELECT * FROM base")
		refused(t, a.h, "ALTER SOURCE src ADD TABLE more", "55000", "theirs", "ALTER PUBLICATION")
		must(t, a.c, "ALTER PUBLICATION theirs ADD TABLE more")
		refused(t, a.h, "ALTER SOURCE src ADD TABLE more WHERE id > 3", "0A000", "theirs")
		must(t, a.h, "ALTER SOURCE src ADD TABLE more")
		must(t, a.c, "DELETE FROM more WHERE id % 3 = 0")
		a.same(sameMore)
		must(t, a.h, "ALTER SOURCE src DROP TABLE more")
		if rows := must(t, a.c, "SELECT tablename FROM pg_publication_tables WHERE pubname = 'theirs'"); len(rows) != 2 {
			t.Errorf("theirs has %q", rows)
		}
	})

	t.Run("cancel", func(t *testing.T) {
		a := newAlterer(t, pg, "WITH (poll_interval = '10ms')")
		done, cancel, goOn := a.inTheMiddle("ALTER SOURCE src ADD TABLE more", "bag")
		eventually(t, a.h, "SELECT altering FROM helios.sources", "adding", "more")
		eventually(t, a.c, "SELECT string_agg(tablename, ' ') FROM pg_publication_tables WHERE pubname = 'helios_src'", "more")
		refused(t, a.h, "ALTER SOURCE src ADD TABLE bag", "55006", "more")
		refused(t, a.h, "SELECT * FROM more", "42P01")
		cancel()
		if err := <-done; err == nil {
			t.Error("it was not canceled")
		}
		eventually(t, a.h, "SELECT altering FROM helios.sources", "∅")
		goOn()
		if p := a.published(); p != "base" {
			t.Errorf("published are %q", p)
		}
		eventually(t, a.c, "SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE 'helios_copy%' AND database = current_database()", "0")
		must(t, a.h, "ALTER SOURCE src ADD TABLE more")
		a.same(sameMore)
	})

	t.Run("kill", func(t *testing.T) {
		a := newAlterer(t, pg, "WITH (poll_interval = '10ms')")
		_, _, goOn := a.inTheMiddle("ALTER SOURCE src ADD TABLE more", "bag")
		eventually(t, a.h, "SELECT altering FROM helios.sources", "adding", "more")
		a.s.Kill()
		must(t, a.c, "UPDATE base SET n = n + 1")
		a.s.start()
		a.h = a.s.connect()
		a.same("SELECT n, s FROM base_sum -- " + sameBase)
		eventually(t, a.h, "SELECT altering FROM helios.sources", "adding", "more")
		goOn()
		eventually(t, a.h, "SELECT count(*) FROM helios.relations WHERE name = 'more'", "1")
		must(t, a.c, "UPDATE more SET pad = 'after' WHERE id % 5 = 0")
		a.same(sameMore)
		// A table that is gone when the program comes back is given up.
		_, _, goOn = a.inTheMiddle("ALTER SOURCE src ADD TABLE bag", "bag")
		eventually(t, a.h, "SELECT altering FROM helios.sources", "bag")
		a.s.Kill()
		goOn()
		must(t, a.c, "DROP TABLE bag")
		a.s.start()
		a.h = a.s.connect()
		eventually(t, a.h, "SELECT altering FROM helios.sources", "∅")
		a.same(sameMore)
	})

	t.Run("drop source", func(t *testing.T) {
		a := newAlterer(t, pg, "WITH (poll_interval = '10ms')")
		done, _, goOn := a.inTheMiddle("ALTER SOURCE src ADD TABLE more", "more")
		eventually(t, a.h, "SELECT altering FROM helios.sources", "more")
		must(t, a.h, "DROP SOURCE src CASCADE")
		if err := <-done; err == nil || !strings.Contains(err.Error(), "57014") {
			t.Errorf("the statement gave %v", err)
		}
		goOn()
	})

	t.Run("drop", func(t *testing.T) {
		a := newAlterer(t, pg, "WITH (poll_interval = '10ms', max_step_rows = 500)")
		must(t, a.h, "ALTER SOURCE src ADD TABLE more AS here; CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n FROM here")
		stop := a.write()
		refused(t, a.h, "ALTER SOURCE src DROP TABLE here", "2BP01", "materialized view v", "CASCADE")
		must(t, a.h, "ALTER SOURCE src DROP TABLE public.more CASCADE")
		refused(t, a.h, "SELECT * FROM here", "42P01")
		refused(t, a.h, "SELECT * FROM v", "42P01")
		if p := a.published(); p != "base" {
			t.Errorf("published are %q", p)
		}
		must(t, a.h, "ALTER SOURCE src ADD TABLE bag; ALTER SOURCE src ADD TABLE more; ALTER SOURCE src DROP TABLE bag; ALTER SOURCE src ADD TABLE bag")
		stop()
		a.same(sameMore, sameBag, "SELECT n, s FROM base_sum -- "+sameBase)
	})
}

// TestRefreshTable mends tables that are not what they are upstream.
func TestRefreshTable(t *testing.T) {
	pg := pgtest.Start(t, pgtest.Setting("max_replication_slots", "20"), pgtest.Setting("max_wal_senders", "20"))
	add := func(t *testing.T) *alterer {
		a := newAlterer(t, pg, "WITH (poll_interval = '10ms', max_step_rows = 500)")
		must(t, a.h, "ALTER SOURCE src ADD TABLE more; ALTER SOURCE src ADD TABLE bag")
		eventually(t, a.h, "SELECT state FROM helios.sources", "streaming")
		return a
	}
	const views = `CREATE MATERIALIZED VIEW more_sum AS SELECT grp, count(*) AS n FROM more GROUP BY grp;
		CREATE MATERIALIZED VIEW bag_sum AS SELECT a, b, count(*) AS n FROM bag GROUP BY a, b`
	viewsAre := []string{"SELECT grp, n FROM more_sum -- SELECT grp, count(*) FROM more GROUP BY grp", "SELECT a, b, n FROM bag_sum -- " + sameBag}

	t.Run("behind our back", func(t *testing.T) {
		a := add(t)
		must(t, a.h, views)
		must(t, a.c, "ALTER PUBLICATION helios_src DROP TABLE more, bag")
		must(t, a.c, `DELETE FROM more WHERE id % 7 = 0; UPDATE more SET grp = 5 WHERE id % 11 = 0; INSERT INTO more VALUES (-1, -1, 'new', 'b');
			DELETE FROM bag WHERE a = 3; INSERT INTO bag VALUES (1, 'x'), (1, 'x'), (9, NULL)`)
		must(t, a.c, "ALTER PUBLICATION helios_src ADD TABLE more, bag")
		must(t, a.h, "SET helios.min_lsn = '"+currentLSN(t, a.c)+"'")
		if d := differ(must(t, a.h, sameBag), must(t, a.c, sameBag)); d == "" {
			t.Fatal("nothing went behind our back")
		}
		stop := a.write()
		must(t, a.h, "ALTER SOURCE src REFRESH TABLE more; ALTER SOURCE src REFRESH TABLE bag; ALTER SOURCE src REFRESH TABLE bag")
		stop()
		a.same(append(viewsAre, sameMore, sameBag, "SELECT n, s FROM base_sum -- "+sameBase)...)
	})

	t.Run("stopped", func(t *testing.T) {
		a := add(t)
		must(t, a.h, views)
		must(t, a.c, "ALTER TABLE more DROP COLUMN pad; UPDATE more SET grp = 1 WHERE id < 10")
		eventually(t, a.h, "SELECT last_error FROM helios.relations WHERE name = 'more'", "pad")
		eventually(t, a.h, "SELECT state, last_error FROM helios.sources", "streaming", `table "more" has stopped`, "pad")
		refused(t, a.h, "ALTER SOURCE src REFRESH TABLE more", "2BP01", "pad", "more_sum")
		must(t, a.h, "DROP MATERIALIZED VIEW more_sum; ALTER SOURCE src REFRESH TABLE more")
		must(t, a.c, "DELETE FROM more WHERE id % 2 = 0")
		a.same("SELECT id, grp, md5(big) FROM more", viewsAre[1])
		// A column that comes back with what the views need of it.
		must(t, a.h, "CREATE MATERIALIZED VIEW more_sum AS SELECT grp, count(*) AS n FROM more GROUP BY grp")
		must(t, a.c, "ALTER TABLE more DROP grp; ALTER TABLE more ADD grp int; UPDATE more SET grp = id % 3")
		eventually(t, a.h, "SELECT last_error FROM helios.relations WHERE name = 'more'", "grp")
		refused(t, a.h, "ALTER SOURCE src REFRESH TABLE more", "2BP01", "more_sum")
		must(t, a.h, "DROP MATERIALIZED VIEW more_sum; ALTER SOURCE src REFRESH TABLE more; CREATE MATERIALIZED VIEW more_sum AS SELECT grp, count(*) AS n FROM more GROUP BY grp")
		must(t, a.c, "ALTER TABLE more DROP grp; ALTER TABLE more ADD grp int; UPDATE more SET grp = id % 4")
		eventually(t, a.h, "SELECT last_error FROM helios.relations WHERE name = 'more'", "grp")
		must(t, a.h, "ALTER SOURCE src REFRESH TABLE more")
		a.same("SELECT id, grp, md5(big) FROM more", viewsAre[0], viewsAre[1])
	})

	t.Run("created again, and renamed", func(t *testing.T) {
		a := add(t)
		must(t, a.h, views)
		must(t, a.c, "DROP TABLE bag; CREATE TABLE bag (a int, b text); ALTER TABLE bag REPLICA IDENTITY FULL; INSERT INTO bag VALUES (1, 'again')")
		must(t, a.c, "ALTER TABLE more RENAME TO moved; UPDATE moved SET grp = 2 WHERE id < 50")
		must(t, a.h, "ALTER SOURCE src REFRESH TABLE bag")
		must(t, a.c, "INSERT INTO bag VALUES (2, 'later'); UPDATE moved SET grp = 3 WHERE id > 29000")
		a.same(viewsAre[1], "SELECT grp, n FROM more_sum -- SELECT grp, count(*) FROM moved GROUP BY grp")
		must(t, a.h, "ALTER SOURCE src REFRESH TABLE more")
		must(t, a.c, "UPDATE moved SET grp = 4 WHERE id > 28000")
		a.same("SELECT grp, n FROM more_sum -- SELECT grp, count(*) FROM moved GROUP BY grp")
	})
}

// TestAlterSourceLag shows that the other tables do not wait until a table is added.
func TestAlterSourceLag(t *testing.T) {
	a := newAlterer(t, pgtest.Start(t), "")
	must(t, a.c, "INSERT INTO more SELECT i, 1, 'r', 'x' FROM generate_series(100000, 400000) i")
	done := make(chan error, 1)
	h := a.s.connect()
	began := time.Now()
	go func() {
		_, err := ask(context.Background(), h, "ALTER SOURCE src ADD TABLE more")
		done <- err
	}()
	moved := 0
	for running := true; running; moved++ {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		default:
		}
		must(t, a.c, "UPDATE base SET n = n + 1 WHERE id = 1")
		a.same("SELECT n, s FROM base_sum -- " + sameBase)
	}
	t.Logf("%d commits were seen one by one in %v", moved, time.Since(began))
	if moved < 2 { // the last one ended after it
		t.Error("no commit was seen while the table was added")
	}
	a.same(sameMore)
}

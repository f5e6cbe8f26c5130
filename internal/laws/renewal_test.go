package laws

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/helios-sql/helios-sql/internal/faultproxy"
	"github.com/helios-sql/helios-sql/internal/pgtest"
)

const renewalSchema = `CREATE TABLE acct (id int PRIMARY KEY, n int NOT NULL);
	INSERT INTO acct SELECT i, 100 FROM generate_series(1, 100) i;
	CREATE TABLE more (id int PRIMARY KEY, grp int, pad text, big text);
	INSERT INTO more SELECT i, i % 10, 'r', repeat(md5(i::text), CASE WHEN i % 1000 = 0 THEN 200 ELSE 1 END) FROM generate_series(1, 10000) i;
	CREATE TABLE bag (a int, b text);
	ALTER TABLE bag REPLICA IDENTITY FULL;
	INSERT INTO bag SELECT i % 7, 'x' FROM generate_series(1, 500) i`

// A renewer is a program with a source over three tables, and views over them.
func newRenewer(t *testing.T, pg *pgtest.Server, dsn func(db string) string, mode string, args ...string) *alterer {
	t.Helper()
	a := &alterer{t: t, pg: pg, db: pg.CreateDatabase(t)}
	a.c = pg.MustConnect(t, a.db).PgConn()
	must(t, a.c, renewalSchema)
	a.s = newServer(t, append([]string{"--checkpoint-interval", "20ms"}, args...)...)
	a.start()
	must(t, a.h, fmt.Sprintf(`CREATE SOURCE src FROM CDC CONNECTION %s TABLES (bag, acct, more)
		WITH (slot_name = '%s', snapshot_mode = '%s', poll_interval = '10ms', max_step_rows = 500, snapshot_chunk_bytes = 65536)`, quote(dsn(a.db)), a.db, mode))
	must(t, a.h, `CREATE MATERIALIZED VIEW acct_sum AS SELECT count(*) AS n, sum(n) AS s FROM acct;
		CREATE MATERIALIZED VIEW more_sum AS SELECT grp, count(*) AS n FROM more GROUP BY grp;
		CREATE MATERIALIZED VIEW bag_sum AS SELECT a, b, count(*) AS n FROM bag GROUP BY a, b`)
	eventually(t, a.h, "SELECT state FROM helios.sources", "streaming")
	return a
}

// proxied gives a proxy before a server, and connection strings that lead through it.
func proxied(t *testing.T, pg *pgtest.Server) (*faultproxy.Proxy, func(db string) string) {
	p := faultproxy.New(t, "127.0.0.1:"+strconv.Itoa(pg.Port))
	return p, func(db string) string {
		return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", p.Port(), db)
	}
}

func (a *alterer) start() {
	a.t.Helper()
	a.s.start()
	a.h = a.s.connect()
}

// all compares everything.
func (a *alterer) all() {
	a.t.Helper()
	a.same("SELECT * FROM acct", sameMore, sameBag, "SELECT n, s FROM acct_sum -- SELECT count(*), sum(n) FROM acct",
		"SELECT grp, n FROM more_sum -- SELECT grp, count(*) FROM more GROUP BY grp", "SELECT a, b, n FROM bag_sum -- "+sameBag)
}

// logged counts the lines of the log that hold a text.
func (a *alterer) logged(text string) int {
	a.t.Helper()
	log, err := os.ReadFile(a.s.Log())
	if err != nil {
		a.t.Fatal(err)
	}
	return strings.Count(string(log), text)
}

// renewed waits until tables were renewed n times, and goes on.
func (a *alterer) renewed(n int) {
	a.t.Helper()
	for deadline := time.Now().Add(time.Minute); a.logged("tables renewed") < n; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			a.t.Fatalf("renewed %d times, expected %d; sources are %q", a.logged("tables renewed"), n, must(a.t, a.h, "SELECT state, last_error FROM helios.sources"))
		}
	}
	eventually(a.t, a.h, "SELECT state FROM helios.sources", "streaming")
}

// dropSlot takes the slot away from the source.
func (a *alterer) dropSlot() {
	a.t.Helper()
	a.toSlot("SELECT pg_drop_replication_slot(" + quote(a.db) + ")")
}

// toSlot runs a statement that needs the slot to be free.
func (a *alterer) toSlot(sql string) {
	a.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		must(a.t, a.c, "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active AND slot_name = "+quote(a.db))
		_, err := ask(context.Background(), a.c, sql)
		if err == nil {
			return
		}
		if sqlstate(err) != "55006" || time.Now().After(deadline) {
			a.t.Fatal(err)
		}
	}
}

// changes is how many the source has brought since the process started.
func (a *alterer) changes() int {
	a.t.Helper()
	n, err := strconv.Atoi(must(a.t, a.h, "SELECT changes FROM helios.sources")[0])
	if err != nil {
		a.t.Fatal(err)
	}
	return n
}

// Of missed, 100 rows of more are other values, 10 gone and 5 new; of acct, 2 others; bag has 3 more of one row and
// 71 less of another, and one new.
const missed = `UPDATE more SET grp = grp + 1 WHERE id <= 100; DELETE FROM more WHERE id > 9990; INSERT INTO more SELECT i, 3, 'n', 'b' FROM generate_series(20001, 20005) i;
	UPDATE acct SET n = n + CASE id WHEN 1 THEN 5 ELSE -5 END WHERE id IN (1, 2);
	INSERT INTO bag VALUES (1, 'x'), (1, 'x'), (1, 'x'), (9, NULL); DELETE FROM bag WHERE a = 3`

const missedChanges = 100 + 10 + 5 + 2 + 3 + 72 + 1

// TestRenewal loses the source's position in many ways.
func TestRenewal(t *testing.T) {
	pg := pgtest.Start(t, pgtest.Setting("max_replication_slots", "30"), pgtest.Setting("max_wal_senders", "30"))

	t.Run("while stopped", func(t *testing.T) {
		a := newRenewer(t, pg, pg.DSN, "when_needed")
		a.s.stop()
		a.dropSlot()
		must(t, a.c, missed)
		a.start()
		a.renewed(1)
		a.all()
		if n := a.changes(); n != missedChanges {
			t.Errorf("%d changes were applied, %d rows differ", n, missedChanges)
		}
		// Truncated, and filled with other rows; nothing comes again.
		a.s.stop()
		a.dropSlot()
		must(t, a.c, "TRUNCATE more; INSERT INTO more VALUES (7, 7, 'seven', 'x'); TRUNCATE bag")
		a.start()
		a.renewed(2)
		must(t, a.c, "UPDATE more SET grp = 8; INSERT INTO bag VALUES (1, 'later'); UPDATE bag SET a = 2")
		a.all()
	})

	t.Run("while running", func(t *testing.T) {
		a := newRenewer(t, pg, pg.DSN, "when_needed")
		ctx, cancel := context.WithCancel(context.Background())
		var g sync.WaitGroup
		h2, conn := a.s.connect(), pg.MustConnect(t, a.db).PgConn()
		g.Go(func() { // each transaction leaves the sum
			for i := 0; ctx.Err() == nil; i++ {
				sql := fmt.Sprintf(`BEGIN; UPDATE acct SET n = n - 1 WHERE id = %d; UPDATE acct SET n = n + 1 WHERE id = %d; DELETE FROM more WHERE id = %d;
					INSERT INTO bag VALUES (%d, 'new'); UPDATE more SET pad = pad || 'p' WHERE id %% 100 = %d; COMMIT`, i%100+1, i%37+1, i%10000, i%5, i%100)
				if _, err := ask(context.Background(), conn, sql); err != nil {
					t.Error(err)
					return
				}
			}
		})
		g.Go(func() {
			for ctx.Err() == nil {
				if rows, err := ask(context.Background(), h2, "SELECT n, s FROM acct_sum"); err != nil || rows[0] != "100|10000" {
					t.Errorf("the view is %q, %v", rows, err)
					return
				}
			}
		})
		for i := range 3 {
			a.dropSlot()
			a.renewed(i + 1)
		}
		cancel()
		g.Wait()
		a.all()
	})

	t.Run("readable, altered and dropped", func(t *testing.T) {
		p, dsn := proxied(t, pg)
		a := newRenewer(t, pg, dsn, "when_needed")
		must(t, a.c, "CREATE TABLE other (id int PRIMARY KEY); INSERT INTO other VALUES (1)")
		const loading = "SELECT state, last_error, snapshot_rows BETWEEN 1 AND 10000 FROM helios.sources"
		p.Throttle(30_000)
		a.dropSlot()
		must(t, a.c, "UPDATE acct SET n = 0; DELETE FROM bag")
		eventually(t, a.h, loading, "snapshot|", "does not exist", "|t")
		must(t, a.h, "SET statement_timeout = '20s'")
		if rows := must(t, a.h, "SELECT n, s FROM acct_sum"); rows[0] != "100|10000" {
			t.Errorf("meanwhile the view is %q", rows)
		}
		must(t, a.h, "CREATE TABLE mine (a int PRIMARY KEY); INSERT INTO mine VALUES (1); CREATE MATERIALIZED VIEW of_mine AS SELECT count(*) FROM mine, acct")
		must(t, a.h, "DROP MATERIALIZED VIEW bag_sum; ALTER SOURCE src DROP TABLE bag")
		eventually(t, a.h, loading, "snapshot|", "does not exist", "|t")
		refused(t, a.h, "SET statement_timeout = '200ms'; ALTER SOURCE src ADD TABLE other", "57014")
		must(t, a.h, "SET statement_timeout = 0")
		p.Throttle(0)
		a.renewed(1)
		a.same("SELECT * FROM acct", sameMore)
		must(t, a.h, "ALTER SOURCE src ADD TABLE other; ALTER SOURCE src ADD TABLE bag")
		a.same("SELECT * FROM other", sameBag, "SELECT n, s FROM acct_sum -- SELECT count(*), sum(n) FROM acct")
		p.Throttle(30_000)
		a.dropSlot()
		eventually(t, a.h, loading, "snapshot|", "does not exist", "|t")
		must(t, a.h, "DROP SOURCE src CASCADE")
		must(t, a.h, "SELECT * FROM mine")
	})

	t.Run("interrupted", func(t *testing.T) {
		p, dsn := proxied(t, pg)
		a := newRenewer(t, pg, dsn, "when_needed")
		p.Throttle(50_000)
		a.dropSlot()
		must(t, a.c, "DELETE FROM bag WHERE a = 0")
		eventually(t, a.h, "SELECT state, snapshot_rows BETWEEN 4000 AND 10000 FROM helios.sources", "snapshot|t")
		must(t, a.c, missed)
		p.All(faultproxy.Cut)
		p.Throttle(0)
		a.renewed(1)
		a.all()
		if a.logged("the snapshot goes on") != 1 || a.logged("chunks_done=0") != 0 {
			t.Error("the snapshot was begun anew")
		}
	})

	t.Run("created again", func(t *testing.T) {
		a := newRenewer(t, pg, pg.DSN, "when_needed")
		a.s.stop()
		must(t, a.c, `DROP TABLE more; CREATE TABLE more (extra int, id int PRIMARY KEY, grp int, another text, pad text, big text);
			INSERT INTO more SELECT 1, i, i % 10, 'a', 'r', md5(i::text) FROM generate_series(1, 100) i`)
		a.start()
		a.renewed(1)
		must(t, a.c, "UPDATE more SET grp = 3; DELETE FROM bag WHERE a = 2")
		a.all()
		a.s.stop() // it is not taken for another one again
		a.start()
		a.all()
		if n := a.logged("tables renewed"); n != 1 {
			t.Errorf("renewed %d times", n)
		}
		// With other columns, or in another order, it stops, the others go on.
		a.s.stop()
		a.dropSlot()
		must(t, a.c, `DROP TABLE more; CREATE TABLE more (id int PRIMARY KEY, grp text, pad text, big text); UPDATE acct SET n = 7 WHERE id = 3;
			DROP TABLE bag; CREATE TABLE bag (b text, a int); ALTER TABLE bag REPLICA IDENTITY FULL`)
		a.start()
		a.renewed(2)
		refused(t, a.h, "SELECT * FROM more_sum", "42804", "grp")
		refused(t, a.h, "SELECT * FROM bag_sum", "42703", "order")
		must(t, a.c, "INSERT INTO acct VALUES (1001, 5)")
		a.same("SELECT * FROM acct", "SELECT n, s FROM acct_sum -- SELECT count(*), sum(n) FROM acct")
	})

	t.Run("moved", func(t *testing.T) {
		a := newRenewer(t, pg, pg.DSN, "when_needed")
		a.s.stop()
		must(t, a.c, missed)
		a.toSlot("SELECT pg_replication_slot_advance(" + quote(a.db) + ", pg_current_wal_lsn())")
		a.start()
		a.renewed(1)
		a.all()
	})

	t.Run("initial", func(t *testing.T) {
		a := newRenewer(t, pg, pg.DSN, "initial")
		a.dropSlot()
		must(t, a.c, "UPDATE acct SET n = 1 WHERE id = 1")
		eventually(t, a.h, "SELECT state, last_error FROM helios.sources", "failed", "does not exist")
		if rows := must(t, a.h, "SELECT n, s FROM acct_sum"); rows[0] != "100|10000" {
			t.Errorf("the view is %q", rows)
		}
		if n := a.logged("tables renewed"); n != 0 {
			t.Errorf("renewed %d times", n)
		}
	})

	t.Run("always", func(t *testing.T) {
		a := newRenewer(t, pg, pg.DSN, "always")
		must(t, a.c, missed)
		a.all()
		must(t, a.c, "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = "+quote(a.db))
		must(t, a.c, "UPDATE acct SET n = n + 1 WHERE id = 50")
		a.all()
		must(t, a.c, "CREATE TABLE other (id int PRIMARY KEY)")
		must(t, a.h, "ALTER SOURCE src ADD TABLE other")
		if n := a.logged("tables renewed"); n != 0 {
			t.Errorf("renewed %d times without a new process", n)
		}
		a.s.stop()
		must(t, a.c, "DELETE FROM more WHERE id < 50; TRUNCATE bag")
		a.start()
		a.renewed(1)
		a.all()
		a.s.Kill()
		must(t, a.c, "INSERT INTO bag VALUES (1, 'x')")
		a.dropSlot()
		a.start()
		a.renewed(2)
		if n := a.changes(); n != 1 {
			t.Errorf("%d changes were applied, one row differs", n)
		}
		must(t, a.c, "UPDATE bag SET a = 2")
		a.all()
	})

	t.Run("within a large transaction", func(t *testing.T) {
		p, dsn := proxied(t, pg)
		a := newRenewer(t, pg, dsn, "when_needed")
		a.half(p)
		if rows := must(t, a.h, "SELECT n, s FROM acct_sum"); rows[0] != "100|10000" {
			t.Errorf("half of the transaction is seen: %q", rows)
		}
		p.Refuse(false)
		a.renewed(1)
		a.all()
		if n := a.logged("a large transaction was given up"); n != 1 {
			t.Errorf("given up %d times", n)
		}
		a.half(p)
		a.s.Kill()
		p.Refuse(false)
		a.start()
		a.renewed(2)
		must(t, a.c, "UPDATE more SET grp = 1 WHERE id < 50")
		a.all()
	})
}

// half loses the position, and the server, within a large transaction, and what is missed.
func (a *alterer) half(p *faultproxy.Proxy) {
	a.t.Helper()
	must(a.t, a.c, "UPDATE acct SET n = n WHERE id = 1; UPDATE more SET grp = grp WHERE id = 1; INSERT INTO bag VALUES (5, 'half')")
	a.same(sameBag) // the tables are known in this session
	p.Refuse(true)
	p.AfterBytes(300_000, faultproxy.Cut)
	must(a.t, a.c, "UPDATE acct SET n = n + 1; UPDATE more SET pad = pad || 'h', grp = grp + 1; UPDATE acct SET n = n - 1")
	a.passed(p)
	a.dropSlot()
	must(a.t, a.c, missed)
}

// passed waits until a proxy has met what it waits for.
func (a *alterer) passed(p *faultproxy.Proxy) {
	a.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); p.Pending(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			a.t.Fatal("the proxy has nothing to do")
		}
	}
}

// TestRenewalInvalidated lets the server throw away what the source needs.
func TestRenewalInvalidated(t *testing.T) {
	pg := pgtest.Start(t, pgtest.Setting("max_slot_wal_keep_size", "1MB"), pgtest.Setting("min_wal_size", "32MB"), pgtest.Setting("max_wal_size", "32MB"))
	for _, mode := range []string{"when_needed", "initial"} {
		a := newRenewer(t, pg, pg.DSN, mode)
		a.s.stop()
		must(t, a.c, missed)
		for deadline := time.Now().Add(time.Minute); must(t, a.c, "SELECT wal_status FROM pg_replication_slots WHERE slot_name = "+quote(a.db))[0] != "lost"; {
			must(t, a.c, "SELECT pg_logical_emit_message(false, 'x', repeat('y', 1000000)) FROM generate_series(1, 17)")
			must(t, a.c, "SELECT pg_switch_wal()")
			must(t, a.c, "CHECKPOINT")
			if time.Now().After(deadline) {
				t.Fatal("the slot is not lost")
			}
		}
		a.start()
		if mode == "initial" {
			eventually(t, a.h, "SELECT state, last_error FROM helios.sources", "failed", "was invalidated", "max_slot_wal_keep_size")
			continue
		}
		a.renewed(1)
		a.all()
		if n := a.changes(); n != missedChanges {
			t.Errorf("%d changes were applied, %d rows differ", n, missedChanges)
		}
	}
}

// as runs a program as the server's user, in its directory.
func (a *alterer) as(name string, args ...string) {
	a.t.Helper()
	info, err := os.Stat(a.pg.Dir)
	if err != nil {
		a.t.Fatal(err)
	}
	cmd := exec.Command(name, args...)
	if st := info.Sys().(*syscall.Stat_t); os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: st.Uid, Gid: st.Gid}}
	}
	cmd.Dir = a.pg.Dir
	if out, err := cmd.CombinedOutput(); err != nil {
		a.t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// replace does something to the server's directory while it is stopped.
func (a *alterer) replace(with func()) {
	a.t.Helper()
	a.c.Close(a.t.Context())
	if err := a.pg.Stop(); err != nil {
		a.t.Fatal(err)
	}
	with()
	if err := a.pg.Restart(); err != nil {
		a.t.Fatal(err)
	}
	if a.pg.MustQuery(a.t, "", "SELECT count(*) FROM pg_database WHERE datname = "+quote(a.db)) == "0" {
		a.pg.MustExec(a.t, "", "CREATE DATABASE "+a.db)
	}
	a.c = a.pg.MustConnect(a.t, a.db).PgConn()
}

// otherServer puts an empty server in the place of the source's.
func (a *alterer) otherServer() {
	a.t.Helper()
	data, first := filepath.Join(a.pg.Dir, "data"), filepath.Join(a.pg.Dir, "first")
	a.replace(func() {
		a.as("mv", data, first)
		a.as(a.pg.Bin("initdb"), "-D", data, "-U", "postgres", "--locale=C", "--encoding=UTF8", "-A", "trust", "--no-sync")
		a.as("cp", filepath.Join(first, "postgresql.conf"), data)
	})
}

// TestRenewalOfOther puts another server in the place of the source's, whose log
// is much shorter, and then a backup of that one.
func TestRenewalOfOther(t *testing.T) {
	pg := pgtest.Start(t)
	p, dsn := proxied(t, pg)
	a := newRenewer(t, pg, dsn, "when_needed")
	must(t, a.c, "SELECT pg_logical_emit_message(false, 'x', repeat('y', 1000000)) FROM generate_series(1, 50)")
	a.all()
	data, backup := filepath.Join(pg.Dir, "data"), filepath.Join(pg.Dir, "backup")
	p.Refuse(true)
	a.otherServer()
	must(t, a.c, renewalSchema)
	must(t, a.c, missed)
	p.Refuse(false)
	a.renewed(1)
	if n := a.changes(); n != missedChanges {
		t.Errorf("%d changes were applied, %d rows differ", n, missedChanges)
	}
	sync := func() { // positions of the two logs do not compare
		t.Helper()
		must(t, a.c, "INSERT INTO bag VALUES (99, clock_timestamp()::text)")
		last := must(t, a.c, "SELECT max(b) FROM bag WHERE a = 99")[0]
		eventually(t, a.h, "SELECT max(b) FROM bag WHERE a = 99", last)
	}
	must(t, a.c, "UPDATE acct SET n = n + 1 WHERE id = 9")
	sync()
	a.all()
	// What was confirmed of the first server's log says nothing about this one's.
	eventually(t, a.c, "SELECT confirmed_flush_lsn >= '"+currentLSN(t, a.c)+"' FROM pg_replication_slots WHERE slot_name = "+quote(a.db), "t")
	if ok := must(t, a.c, "SELECT confirmed_flush_lsn <= pg_current_wal_lsn() FROM pg_replication_slots WHERE slot_name = "+quote(a.db))[0]; ok != "t" {
		t.Error("the slot is confirmed past the end of the log")
	}
	a.s.stop()
	must(t, a.c, "UPDATE acct SET n = n + 1 WHERE id = 9")
	a.start()
	sync()
	a.all()
	if n := a.logged("tables renewed"); n != 1 {
		t.Errorf("the new identity was not kept: renewed %d times", n)
	}
	a.replace(func() { a.as("cp", "-R", "-p", data, backup) })
	must(t, a.c, missed+"; SELECT pg_logical_emit_message(false, 'x', repeat('y', 1000000)) FROM generate_series(1, 20)")
	eventually(t, a.h, "SELECT state FROM helios.sources", "streaming")
	a.all()
	a.s.stop()
	a.replace(func() {
		a.as("rm", "-R", data)
		a.as("mv", backup, data)
	})
	a.start()
	a.renewed(2)
	sync()
	a.all()
}

// TestRenewalKilled kills the program again and again within new snapshots, of
// which more differs than fits into the memory.
func TestRenewalKilled(t *testing.T) {
	pg := pgtest.Start(t)
	a := newRenewer(t, pg, pg.DSN, "when_needed", "--memory", "64MB")
	must(t, a.c, "INSERT INTO more SELECT i, i % 10, 'r', 'x' FROM generate_series(100000, 250000) i; INSERT INTO bag SELECT i, 'y' FROM generate_series(1, 50000) i")
	a.all()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 11))
	within := 0 // kills between the copy and the end of the differences
	for round := range 8 {
		a.s.Kill()
		if a.logged("new snapshot loaded") > a.logged("tables renewed") {
			within++
		}
		a.tryDropSlot()
		must(t, a.c, fmt.Sprintf(`UPDATE more SET grp = grp + 1 WHERE id %% 3 = %d; DELETE FROM more WHERE id %% 1000 = %d; UPDATE bag SET b = b || 'z' WHERE a %% 4 = %d;
			UPDATE acct SET n = n + CASE id WHEN 1 THEN 5 ELSE -5 END WHERE id IN (1, 2)`, rng.IntN(3), rng.IntN(1000), rng.IntN(4)))
		loaded := a.logged("new snapshot loaded")
		a.s.spawn()
		if round%2 == 0 {
			time.Sleep(time.Duration(rng.IntN(2500)) * time.Millisecond)
			continue
		}
		for deadline := time.Now().Add(time.Minute); a.logged("new snapshot loaded") == loaded; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("no new snapshot is loaded")
			}
		}
		time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond)
	}
	if err := a.s.ready(time.Minute); err != nil {
		t.Fatal(err)
	}
	a.h = a.s.connect()
	must(t, a.c, "UPDATE more SET pad = 'last' WHERE id < 100")
	a.all()
	t.Logf("renewed %d times, killed %d times within the differences", a.logged("tables renewed"), within)
	before := a.logged("tables renewed")
	must(t, a.c, "UPDATE more SET big = big || grp; UPDATE bag SET a = a + 1")
	a.s.stop()
	a.dropSlot()
	must(t, a.c, "UPDATE more SET grp = -1; DELETE FROM bag WHERE a % 2 = 0")
	a.start()
	a.renewed(before + 1)
	a.all()
	must(t, a.c, "ALTER PUBLICATION helios_src DROP TABLE more; UPDATE more SET big = big || 'r'")
	must(t, a.h, "ALTER SOURCE src REFRESH TABLE more")
	a.all()
}

// tryDropSlot drops the slot of a source that may have made none yet.
func (a *alterer) tryDropSlot() {
	a.t.Helper()
	for len(must(a.t, a.c, "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active")) > 0 {
		time.Sleep(time.Millisecond)
	}
	must(a.t, a.c, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
}

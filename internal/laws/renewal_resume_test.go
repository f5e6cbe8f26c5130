package laws

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/helios-sql/helios-sql/internal/faultproxy"
	"github.com/helios-sql/helios-sql/internal/pgtest"
)

// A slowRenewer has so much to copy, and through so slow a proxy, that the program
// can be killed within it, at any chunk's edge.
type slowRenewer struct {
	*alterer
	p   *faultproxy.Proxy
	had int // states before
}

// recordEvery is a tenth of the shortest time between two records.
const recordEvery = 5 * time.Millisecond

// newSlowRenewer has what makes about 50 chunks.
func newSlowRenewer(t *testing.T, pg *pgtest.Server, mode string, args ...string) *slowRenewer {
	t.Helper()
	p, dsn := proxied(t, pg)
	a := &slowRenewer{alterer: newRenewer(t, pg, dsn, mode, append(args, "--checkpoint-interval", recordEvery.String())...), p: p}
	must(t, a.c, "INSERT INTO bag SELECT i % 100, repeat('y', 50) FROM generate_series(1, 4000) i; INSERT INTO more SELECT -i, 1, repeat('p', 50), 'x' FROM generate_series(1, 20000) i")
	a.all()
	return a
}

// loadingRenewer begins a new snapshot with what was missed.
func loadingRenewer(t *testing.T, pg *pgtest.Server, mode string) *slowRenewer {
	t.Helper()
	a := newSlowRenewer(t, pg, mode)
	a.s.stop()
	a.begin(mode)
	return a
}

func (a *slowRenewer) begin(mode string) {
	a.t.Helper()
	a.had = states(a.t, a.s)
	if mode == "when_needed" {
		a.dropSlot()
	}
	must(a.t, a.c, missed)
	a.p.Throttle(200_000)
	a.start()
}

// done waits until some chunks are done, and not all of them, and gives how many.
func (a *slowRenewer) done(least int) (n int) {
	a.t.Helper()
	const query = "SELECT snapshot_chunks_done, snapshot_chunks FROM helios.sources WHERE state = 'snapshot' AND snapshot_chunks > 0"
	of := 0
	for deadline := time.Now().Add(time.Minute); n == of || n < least; time.Sleep(2 * time.Millisecond) {
		if rows := must(a.t, a.h, query); len(rows) == 1 {
			if _, err := fmt.Sscanf(rows[0], "%d|%d", &n, &of); err != nil {
				a.t.Fatal(err)
			}
		}
		if time.Now().After(deadline) {
			a.t.Fatalf("%d of %d chunks are done, expected %d", n, of, least)
		}
	}
	return n
}

// recorded waits until some chunks are done and recorded, and gives how many: the
// record of the first chunk that comes when one may be kept again tells of all before,
// and when the next one is done, it was kept.
func (a *slowRenewer) recorded(least int) (n int) {
	a.t.Helper()
	n = a.done(least)
	time.Sleep(12 * recordEvery)
	a.done(a.done(0) + 2)
	return n
}

var chunksDone = regexp.MustCompile(`the snapshot goes on.*chunks_done"?[=:](\d+)`)

// wentOn gives, for each time that a snapshot went on, the chunks that were done.
func (a *slowRenewer) wentOn() (done []int) {
	a.t.Helper()
	log, err := os.ReadFile(a.s.Log())
	if err != nil {
		a.t.Fatal(err)
	}
	for _, m := range chunksDone.FindAllSubmatch(log, -1) {
		n, err := strconv.Atoi(string(m[1]))
		if err != nil {
			a.t.Fatal(err)
		}
		done = append(done, n)
	}
	return done
}

// goneOn waits until a snapshot has gone on n times, and gives the chunks that were done.
func (a *slowRenewer) goneOn(n int) int {
	a.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if done := a.wentOn(); len(done) >= n {
			return done[n-1]
		}
		if time.Now().After(deadline) {
			a.t.Fatalf("the snapshot went on %d times, expected %d; sources are %q", len(a.wentOn()), n, must(a.t, a.h, "SELECT state, last_error FROM helios.sources"))
		}
	}
}

// TestRenewalGoesOn kills the program several times within a new snapshot, while
// the tables are written to. It goes on with the chunks that are done.
func TestRenewalGoesOn(t *testing.T) {
	pg := pgtest.Start(t)
	for _, mode := range []string{"when_needed", "always"} {
		t.Run(mode, func(t *testing.T) {
			a := loadingRenewer(t, pg, mode)
			a.done(1)
			why := must(t, a.h, "SELECT coalesce(last_error, '') FROM helios.sources")[0]
			if (why != "") != (mode == "when_needed") {
				t.Errorf("the new snapshot is needed because %q", why)
			}
			// Nothing is written: nothing is copied again.
			for round := range 2 {
				done := a.recorded(4 * (round + 1))
				a.s.Kill()
				a.start()
				if n := a.goneOn(round + 1); n < done {
					t.Errorf("went on with %d of the %d chunks that were done", n, done)
				}
				if rows := must(t, a.h, "SELECT n, s FROM acct_sum"); rows[0] != "100|10000" {
					t.Errorf("meanwhile the view is %q", rows)
				}
				if rows := must(t, a.h, "SELECT state, coalesce(last_error, '') FROM helios.sources"); rows[0] != "snapshot|"+why {
					t.Errorf("then the source is %q", rows)
				}
			}
			// Up to three chunks of bag become other ones.
			for round := range 2 {
				done := a.recorded(4 * (round + 3))
				a.s.Kill()
				must(t, a.c, fmt.Sprintf(`UPDATE more SET grp = 7, pad = 'k' WHERE id %% 50 = %d; UPDATE more SET id = id + 100000 WHERE id BETWEEN %d AND %[2]d + 5;
					DELETE FROM more WHERE id BETWEEN %[2]d + 10 AND %[2]d + 20; DELETE FROM bag WHERE ctid IN ('(0,%d)', '(1,7)'); INSERT INTO bag VALUES (1, 'round %[1]d');
					UPDATE acct SET n = n + CASE id WHEN 3 THEN 5 ELSE -5 END WHERE id IN (3, 4)`, round, 1000*round+100, round+1))
				a.start()
				if n := a.goneOn(round + 3); n < done-3 {
					t.Errorf("went on with %d of the %d chunks that were done", n, done)
				}
			}
			a.done(20)
			a.p.Throttle(0)
			a.renewed(1)
			must(t, a.c, "UPDATE more SET pad = 'last' WHERE id < 100; UPDATE bag SET a = a + 1 WHERE b = 'x'")
			a.all()
			total := must(t, a.c, "SELECT (SELECT count(*) FROM acct) + (SELECT count(*) FROM more) + (SELECT count(*) FROM bag)")[0]
			if rows := must(t, a.h, "SELECT snapshot_rows < "+total+" FROM helios.sources"); rows[0] != "t" {
				t.Error("all was copied again")
			}
			if n := a.logged("new snapshot loaded"); n != 1 {
				t.Errorf("copies were whole %d times", n)
			}
			// It is over: the next one begins anew.
			a.s.stop()
			if n := states(t, a.s); n != a.had {
				t.Errorf("there are %d states, and were %d", n, a.had)
			}
			if mode == "when_needed" {
				a.dropSlot()
			}
			a.start()
			a.renewed(2)
			a.all()
			if n := len(a.wentOn()); n != 4 {
				t.Errorf("went on %d times", n)
			}
		})
	}
}

// TestRenewalGoesOnOtherwise changes, between kill and restart, what a new
// snapshot depends on.
func TestRenewalGoesOnOtherwise(t *testing.T) {
	pg := pgtest.Start(t)
	for _, c := range []struct {
		name, sql string
		anew      bool // all of it
	}{
		{name: "a table created again", sql: `CREATE TABLE again (LIKE acct INCLUDING ALL); INSERT INTO again SELECT id, 7 FROM acct; DROP TABLE acct; ALTER TABLE again RENAME TO acct`},
		{name: "a table truncated", sql: "TRUNCATE bag; INSERT INTO bag VALUES (1, 'after')"},
		{name: "a table not published", sql: "ALTER PUBLICATION helios_src DROP TABLE more; UPDATE more SET grp = grp + 1; DELETE FROM more WHERE id % 7 = 0"},
		{name: "no publication", sql: "DROP PUBLICATION helios_src; UPDATE more SET grp = grp + 1; DELETE FROM more WHERE id % 7 = 0", anew: true},
		{name: "no slot", sql: "UPDATE more SET grp = grp + 1; DELETE FROM more WHERE id % 7 = 0", anew: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := loadingRenewer(t, pg, "when_needed")
			a.recorded(15) // of more, too
			a.s.Kill()
			if c.name == "no slot" {
				a.dropSlot()
			}
			must(t, a.c, c.sql)
			a.p.Throttle(0)
			a.start()
			a.renewed(1)
			a.all()
			must(t, a.c, "UPDATE acct SET n = n + 1 WHERE id < 10; UPDATE more SET pad = 'later' WHERE id < 100; INSERT INTO bag VALUES (5, 'later')")
			a.all()
			if n := a.logged("an unfinished snapshot cannot go on"); (n == 1) != c.anew || (len(a.wentOn()) == 0) != c.anew {
				t.Errorf("could not go on %d times; went on with %v chunks", n, a.wentOn())
			}
		})
	}

	// Until the new snapshot's end the source is within a transaction, and nothing
	// can be asked.
	t.Run("within a large transaction", func(t *testing.T) {
		a := newSlowRenewer(t, pg, "when_needed")
		a.half(a.p)
		a.s.Kill()
		a.p.Refuse(false)
		a.p.Throttle(300_000)
		for range 3 {
			a.p.AfterBytes(500_000, faultproxy.Hold)
			a.start()
			a.passed(a.p)
			a.s.Kill()
		}
		a.p.Throttle(0)
		a.start()
		a.renewed(1)
		must(t, a.c, "UPDATE more SET grp = 1 WHERE id < 50")
		a.all()
		if done := a.wentOn(); len(done) == 0 || done[len(done)-1] == 0 || !slices.IsSorted(done) || a.logged("new snapshot loaded") != 1 {
			t.Errorf("went on with %v chunks", done)
		}
	})

	t.Run("a full disk", func(t *testing.T) {
		a := newSlowRenewer(t, pg, "when_needed", "--memory", "16MB")
		a.s.stop()
		before := a.s.Data
		filler := fillable(t, a.s)
		if err := os.CopyFS(a.s.Data, os.DirFS(before)); err != nil {
			t.Fatal(err)
		}
		a.begin("when_needed")
		done := a.recorded(8)
		filler.fill()
		eventually(t, a.h, "SELECT state, last_error FROM helios.sources", "retrying", "the disk is full")
		filler.free()
		if n := a.goneOn(1); n < done {
			t.Errorf("went on with %d of the %d chunks that were done", n, done)
		}
		a.p.Throttle(0)
		a.renewed(1)
		a.all()
		if n := a.logged("an unfinished snapshot cannot go on"); n != 0 {
			t.Errorf("could not go on %d times", n)
		}
	})

	// A table is taken out of the source, and the source is dropped.
	t.Run("altered and dropped", func(t *testing.T) {
		a := loadingRenewer(t, pg, "when_needed")
		done := a.recorded(4)
		must(t, a.h, "DROP MATERIALIZED VIEW acct_sum; ALTER SOURCE src DROP TABLE acct")
		if n := a.goneOn(1); n < done-1 {
			t.Errorf("went on with %d of the %d chunks that were done", n, done)
		}
		a.recorded(6)
		a.s.Kill()
		a.start()
		a.goneOn(2)
		a.p.Throttle(0)
		a.renewed(1)
		a.same(sameMore, sameBag)
		a.p.Throttle(200_000)
		a.dropSlot()
		a.recorded(4)
		a.s.Kill()
		a.start()
		a.goneOn(3)
		must(t, a.h, "DROP SOURCE src CASCADE")
		a.s.stop()
		if n := states(t, a.s); n != 0 {
			t.Errorf("%d states of no table", n)
		}
	})
}

// TestRenewalGoesOnAtOther puts another server in the place of the source's
// between kill and restart. It has tables, a slot and a publication of the same names
// and OIDs, and a log that the snapshot's positions lie in.
func TestRenewalGoesOnAtOther(t *testing.T) {
	for _, mode := range []string{"when_needed", "always"} {
		t.Run(mode, func(t *testing.T) {
			pg := pgtest.Start(t)
			const log = "SELECT pg_logical_emit_message(false, 'x', repeat('y', 1000000)) FROM generate_series(1, %d)"
			must(t, pg.MustConnect(t, "").PgConn(), fmt.Sprintf(log, 30))
			a := loadingRenewer(t, pg, mode)
			a.recorded(15) // of more, too
			a.s.Kill()
			comment := must(t, a.c, "SELECT obj_description(oid, 'pg_publication') FROM pg_publication")[0]
			was := currentLSN(t, a.c)
			oid := must(t, a.c, "SELECT 'acct'::regclass::oid")[0]
			a.otherServer()
			a.replace(func() { a.as(pg.Bin("pg_resetwal"), "-o", oid, filepath.Join(pg.Dir, "data")) })
			must(t, a.c, renewalSchema)
			if same := must(t, a.c, "SELECT 'acct'::regclass::oid")[0]; same != oid {
				t.Fatalf("the table's OID is %s there, and was %s", same, oid)
			}
			must(t, a.c, "CREATE PUBLICATION helios_src FOR TABLE acct, more, bag WITH (publish_via_partition_root = true); COMMENT ON PUBLICATION helios_src IS "+quote(comment))
			must(t, a.c, "SELECT pg_create_logical_replication_slot("+quote(a.db)+", 'pgoutput')")
			must(t, a.c, fmt.Sprintf(log, 60))
			if ok := must(t, a.c, "SELECT pg_current_wal_lsn() > '"+was+"' AND confirmed_flush_lsn < pg_lsn '"+was+"' - 10000000 FROM pg_replication_slots")[0]; ok != "t" {
				t.Fatal("the logs are not as the test needs them")
			}
			must(t, a.c, "UPDATE more SET pad = 'another'; UPDATE acct SET n = n + 1")
			a.p.Throttle(0)
			a.start()
			a.renewed(1)
			a.all()
			must(t, a.c, missed)
			a.all()
			if n := a.logged("system identifier"); n != 1 || len(a.wentOn()) != 0 {
				t.Errorf("another server was noticed %d times; went on with %v chunks", n, a.wentOn())
			}
		})
	}
}

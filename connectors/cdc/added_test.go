package cdc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
)

// through gives a checkpoint as it comes back from where it was stored.
func through(t testing.TB, cp Checkpoint) *Checkpoint {
	t.Helper()
	data, err := json.Marshal(cp)
	if err != nil {
		t.Fatal(err)
	}
	back := new(Checkpoint)
	if err := json.Unmarshal(data, back); err != nil {
		t.Fatal(err)
	}
	return back
}

func tableNames(cp Checkpoint) string {
	var names []string
	for _, t := range cp.Tables {
		names = append(names, t.Name)
	}
	return strings.Join(names, " ")
}

// One table comes and another goes with a restore; the third goes on. What the
// others have missed comes before the new one's rows.
func TestRestoreOtherTables(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE gone (id int PRIMARY KEY); INSERT INTO a VALUES (1, 'x'); INSERT INTO gone VALUES (1);
		CREATE TABLE b (id int PRIMARY KEY, v text); INSERT INTO b SELECT i, 'b' FROM generate_series(1, 3) i; CREATE TABLE empty (id int PRIMARY KEY)`)
	cfg := eventsConfig(db, "a", "gone")
	cfg.SnapshotWorkers = 1
	r := startReader(t, cfg, nil)
	r.expect("read a@1 after(id=1 v=x)", "read gone@1 after(id=1)")
	cp := through(t, r.src.Checkpoint())
	r.src.Close()
	server.MustExec(t, db, "BEGIN; INSERT INTO a VALUES (2, 'y'); UPDATE b SET v = 'c' WHERE id = 2; INSERT INTO gone VALUES (2); COMMIT; DELETE FROM b WHERE id = 3")
	cfg = eventsConfig(db, "b", "a", "empty")
	cfg.SnapshotWorkers = 1
	r = startReader(t, cfg, cp)
	r.expect("create a@1 after(id=2 v=y)", "truncate b@1")
	if got := r.src.Checkpoint(); tableNames(got) != "a" || got.Snapshot != nil || got.LSN <= cp.LSN {
		t.Fatalf("in the midst: %+v", got)
	}
	server.MustExec(t, db, "INSERT INTO b VALUES (4, 'd'); INSERT INTO gone VALUES (3); UPDATE a SET v = 'z' WHERE id = 1; INSERT INTO empty VALUES (1)")
	r.expect("truncate empty@1", "read b@1 after(id=1 v=b)")
	e, err := r.next()
	if err != nil || describe(e) != "read b@1 after(id=2 v=c)" || e.Snapshot != SnapshotRow|SnapshotLast {
		t.Fatal(describe(e), e.Snapshot, err)
	}
	if got := r.src.Checkpoint(); tableNames(got) != "a b empty" || got.LSN != e.CommitLSN || e.Seq != 4 {
		t.Fatalf("%+v after %+v", got, e)
	}
	r.expect("create b@1 after(id=4 v=d)", "update a@1 after(id=1 v=z)", "create empty@1 after(id=1)")
	cp = through(t, r.src.Checkpoint())
	r.src.Close()
	// The one that was left out comes back with what it is now; one that is empty ends its snapshot.
	server.MustExec(t, db, "DELETE FROM gone; CREATE TABLE late (id int PRIMARY KEY)")
	r = startReader(t, eventsConfig(db, "a", "gone", "empty"), cp)
	r.expect("truncate gone@1")
	if got := r.src.Checkpoint(); tableNames(got) != "a empty gone" {
		t.Fatal(tableNames(got))
	}
	server.MustExec(t, db, "INSERT INTO gone VALUES (4); INSERT INTO b VALUES (5); INSERT INTO a VALUES (3)")
	r.expect("create gone@1 after(id=4)", "create a@1 after(id=3 v=NULL)")
	cp = through(t, r.src.Checkpoint())
	r.src.Close()
	// By transactions, and none of the old tables.
	r = startReader(t, eventsConfig(db, "late"), cp)
	for tx, err := range r.src.Transactions(r.ctx) {
		if err != nil || !tx.Snapshot {
			t.Fatalf("%+v, %v", tx, err)
		}
		for e, err := range tx.Events() {
			if err != nil || describe(e) != "truncate late@1" || e.Snapshot != SnapshotRow|SnapshotLast {
				t.Fatal(describe(e), err)
			}
		}
		break
	}
	// Without snapshots there is none of an added table either.
	cp = through(t, r.src.Checkpoint())
	r.src.Close()
	cfg = eventsConfig(db, "late", "a")
	cfg.SnapshotMode = SnapshotNever
	r = startReader(t, cfg, cp)
	server.MustExec(t, db, "INSERT INTO a VALUES (6, 'new'); INSERT INTO late VALUES (1)")
	r.expect("create a@1 after(id=6 v=new)", "create late@1 after(id=1)")
	if got := r.src.Checkpoint(); tableNames(got) != "late a" {
		t.Fatal(tableNames(got))
	}
}

// A table is added to the publication only if that is the source's own; what
// keeps it from being added is said at the start.
func TestRestoreAddedRefused(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY, n int); CREATE TABLE keyless (id int); CREATE VIEW v AS SELECT 1;
		CREATE PUBLICATION others FOR TABLE a; INSERT INTO b VALUES (1, 10), (2, 20)`)
	start := func(cfg Config, cp *Checkpoint) error {
		src, err := NewSource(cfg)
		if err == nil {
			err = src.Restore(*cp)
		}
		if err == nil {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			err = src.Start(ctx)
			src.Close()
		}
		return err
	}
	refused := func(cfg Config, cp *Checkpoint, code pgerr.Code, text string) {
		t.Helper()
		for {
			err := start(cfg, cp)
			var transient *TransientError
			if errors.As(err, &transient) { // the slot of one that was closed is in use for a moment
				continue
			}
			if pgerr.CodeOf(err) != code || !strings.Contains(fmt.Sprint(err), text) {
				t.Fatalf("%v (%s), want %s %q", err, pgerr.CodeOf(err), code, text)
			}
			return
		}
	}
	cfg := eventsConfig(db, "a")
	cfg.PublicationName = "others"
	r := startReader(t, cfg, nil)
	server.MustExec(t, db, "INSERT INTO a VALUES (1)")
	r.expect("create a@1 after(id=1)")
	cp := through(t, r.src.Checkpoint())
	r.src.Close()
	cfg.Tables = []string{"a", "b"}
	refused(cfg, cp, pgerr.ObjectNotInPrerequisite, `table "public"."b" is not part of publication "others"`)
	for table, want := range map[string]pgerr.Code{"keyless": pgerr.ObjectNotInPrerequisite, "v": pgerr.WrongObjectType, "nowhere": pgerr.UndefinedTable} {
		cfg.Tables = []string{"a", table}
		refused(cfg, cp, want, table)
	}
	cfg.Tables, cfg.SnapshotMode = []string{"a", "b"}, SnapshotInitialOnly
	refused(cfg, cp, pgerr.FeatureNotSupported, `table "public"."b" is not in the checkpoint`)
	cfg.SnapshotMode = SnapshotInitial
	server.MustExec(t, db, "ALTER PUBLICATION others ADD TABLE b")
	r = startReader(t, cfg, cp)
	r.expect("truncate b@1", "read b@1 after(id=1 n=10)", "read b@1 after(id=2 n=20)")
}

// The filter of an added table is put into the source's own publication.
func TestRestoreAddedFilter(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	if !needFilters(t, db) {
		return
	}
	server.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY, n int); INSERT INTO a SELECT generate_series(1, 3); INSERT INTO b SELECT i, i FROM generate_series(1, 3) i`)
	r := startReader(t, eventsConfig(db, "a WHERE (id > 2)"), nil)
	r.expect("read a@1 after(id=3)")
	cp := through(t, r.src.Checkpoint())
	r.src.Close()
	for range 2 { // the second time both filters are known
		r = startReader(t, eventsConfig(db, "a WHERE (id > 2)", "b WHERE (id <> 2)"), cp)
		r.expect("truncate b@1", "read b@1 after(id=1 n=1)", "read b@1 after(id=3 n=3)")
		r.src.Close()
	}
	src, err := NewSource(eventsConfig(db, "a WHERE (id > 2)", "b WHERE (id <> 2)", "c WHERE (n > 1)"))
	if err == nil {
		err = src.Restore(*cp)
	}
	if err != nil {
		t.Fatal(err)
	}
	server.MustExec(t, db, "CREATE TABLE c (id int PRIMARY KEY, n int)")
	for {
		err := src.Start(context.Background())
		var transient *TransientError
		if errors.As(err, &transient) {
			continue
		}
		if pgerr.CodeOf(err) != pgerr.InvalidColumnReference {
			t.Fatal(err)
		}
		break
	}
}

// The captured tables are others at every restore, and the source is interrupted
// wherever it may be: in what the others have missed, in the snapshot of the added
// ones, in the first snapshot.
func TestRestoreOtherTablesInterrupted(t *testing.T) {
	t.Parallel()
	for range 2 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) { interruptAdding(t, seed) })
	}
}

func interruptAdding(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 3))
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY, n int, v text); INSERT INTO a SELECT i, 0, repeat('x', 300) FROM generate_series(1, 300) i;
		CREATE TABLE b (id int PRIMARY KEY, n int, v text); INSERT INTO b SELECT * FROM a; CREATE TABLE empty (id int PRIMARY KEY, n int, v text);
		CREATE TABLE f (id int, n int, v text); ALTER TABLE f REPLICA IDENTITY FULL; INSERT INTO f SELECT i % 50, 0, 'f' FROM generate_series(1, 200) i;
		CREATE TABLE p (id int PRIMARY KEY, n int, v text) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (-1000000) TO (100); CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (100000000);
		INSERT INTO p SELECT * FROM a`)
	all := []string{"a", "b", "empty", "f", "p"}
	writes := 0
	write := func() {
		writes++
		var sql []string
		for _, table := range all {
			i := rnd.IntN(320)
			for _, s := range []string{
				fmt.Sprintf("INSERT INTO %s VALUES (%d, 1, 'new')", table, 1000+writes),
				fmt.Sprintf("UPDATE %s SET n = n + 1 WHERE id %% 20 = %d", table, i%20),
				fmt.Sprintf("DELETE FROM %s WHERE id BETWEEN %d AND %d", table, i, i+2),
				fmt.Sprintf("UPDATE %s SET id = id + 10000 * %d WHERE id = %d", table, writes, i),
			} {
				if rnd.IntN(3) == 0 {
					sql = append(sql, s)
				}
			}
		}
		rnd.Shuffle(len(sql), func(i, j int) { sql[i], sql[j] = sql[j], sql[i] })
		if rnd.IntN(3) > 0 {
			sql = append(append([]string{"BEGIN"}, sql...), "COMMIT")
		}
		server.MustExec(t, db, strings.Join(sql, "; "))
		if rnd.IntN(10) == 0 {
			// Given up if a snapshot holds the table just now.
			conn := server.MustConnect(t, db)
			defer conn.Close(context.Background())
			_, err := conn.Exec(context.Background(), "SET lock_timeout = '100ms'")
			if err == nil {
				_, err = conn.Exec(context.Background(), []string{"TRUNCATE " + all[rnd.IntN(len(all))], "VACUUM FULL " + all[rnd.IntN(2)]}[rnd.IntN(2)])
			}
			var pg *pgconn.PgError
			if err != nil && (!errors.As(err, &pg) || pg.Code != string(pgerr.LockNotAvailable)) {
				t.Fatal(err)
			}
		}
	}
	k, goesOn := newKeeping(t), 0
	var cp *Checkpoint
	stored, tables := k.clone(), []string{"a", "b"}
	const most = 14
	for kills := 0; ; kills++ {
		if rnd.IntN(2) == 0 || kills == most {
			// What is left out is forgotten only when it comes back.
			if tables = []string{}; kills == most {
				tables = append(tables, all...)
			}
			for len(tables) == 0 {
				for _, name := range all {
					if rnd.IntN(2) == 0 {
						tables = append(tables, name)
					}
				}
			}
			rnd.Shuffle(len(tables), func(i, j int) { tables[i], tables[j] = tables[j], tables[i] })
		}
		cfg := eventsConfig(db, tables...)
		cfg.SnapshotChunkBytes, cfg.BufferSize, cfg.SnapshotMode = 8<<10, 20, SnapshotInitial
		if cp != nil && cp.Added != nil && slices.ContainsFunc(cp.Added.Snapshot.Tables, func(tp TableProgress) bool { return tp.Done > 0 && slices.Contains(tables, tp.Table) }) {
			goesOn++
		}
		cfg.SnapshotWorkers, cfg.KeepChunks = 1+rnd.IntN(2), rnd.IntN(2) == 0
		r := startReader(t, cfg, cp)
		var last *Event
		take := func(e *Event) {
			if e.Type == Heartbeat {
				return
			}
			if k.take(e); e.Table != nil && !slices.Contains(tables, e.Table.Name) {
				t.Fatalf("%s of a table that is left out", describe(e))
			}
			if last != nil && e.Compare(last) < 0 {
				t.Fatalf("%s at %s after %s at %s", describe(e), e.CommitLSN, describe(last), last.CommitLSN)
			}
			if last = e; r.src.Checkpoint().Snapshot != nil {
				last = nil // a first snapshot that goes on is at another position
			}
		}
		if kills < most {
			for n := rnd.IntN(500); n > 0; n-- {
				if rnd.IntN(25) == 0 {
					write()
				}
				if rnd.IntN(300) == 0 {
					server.MustExec(t, db, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'helios%' AND pid <> pg_backend_pid()")
				}
				e, err := r.src.Recv(r.ctx)
				if err != nil {
					t.Fatal(err)
				}
				if take(e); e.Type == Heartbeat {
					n -= 50
				}
				if rnd.IntN(30) == 0 {
					if err := r.src.Confirm(*cpOrZero(cp)); err != nil {
						t.Fatal(err)
					}
				}
			}
			at := r.src.Checkpoint()
			r.src.Close()
			write()
			if rnd.IntN(4) > 0 || cp == nil { // else what came since is lost at the program
				cp, stored = through(t, at), k.clone()
			}
			k = stored.clone()
			continue
		}
		lsn, err := pglogrepl.ParseLSN(serverValue(t, db, "SELECT pg_current_wal_lsn()::text"))
		if err != nil {
			t.Fatal(err)
		}
		for at := r.src.Checkpoint(); at.LSN < connectors.LSN(lsn) || len(at.Tables) < len(all) || at.Snapshot != nil; at = r.src.Checkpoint() {
			e, err := r.src.Recv(r.ctx)
			if err != nil {
				t.Fatalf("%v; at %+v, to %s", err, at, lsn)
			}
			take(e)
		}
		k.same(db, all...)
		t.Logf("%d writes, went on with added tables %d times, voided %v", writes, goesOn, k.voided)
		return
	}
}

func cpOrZero(cp *Checkpoint) *Checkpoint {
	if cp == nil {
		return new(Checkpoint)
	}
	return cp
}

// A snapshot that went on to its end is confirmed by the program alone: one that
// has lost its end goes on from the same checkpoint again.
func TestSnapshotEndLost(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a SELECT i, repeat('x', 300) FROM generate_series(1, 1000) i`)
	cfg := eventsConfig(db, "a")
	cfg.SnapshotChunkBytes, cfg.SnapshotWorkers = 8<<10, 1
	r := startReader(t, cfg, nil)
	k := newKeeping(t)
	for r.src.Checkpoint().Snapshot == nil || r.src.Checkpoint().Snapshot.LSN == 0 {
		e, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		k.take(e)
	}
	cp, stored := through(t, r.src.Checkpoint()), k
	for range 2 {
		r.src.Close()
		server.MustExec(t, db, "UPDATE a SET v = v || 'y' WHERE id % 10 = 0")
		r = startReader(t, cfg, cp)
		k = stored.clone()
		for beats := 0; r.src.Checkpoint().Snapshot != nil || beats < 5; {
			e, err := r.src.Recv(r.ctx)
			if err != nil || e.Snapshot&SnapshotFirst != 0 {
				t.Fatalf("%s, %v", describe(e), err)
			}
			if k.take(e); e.Type == Heartbeat {
				beats++
			}
		}
		k.same(db, "a")
	}
}

// A program is told of partitions whose rows came or went unsent, and gets the
// table anew by a restore without it and one with it.
func TestPartitionsStaleEvents(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);
		CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100); CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200); INSERT INTO p VALUES (1), (101)`)
	cfg := eventsConfig(db, "a", "p")
	cfg.SnapshotWorkers = 1
	r := startReader(t, cfg, nil)
	k := newKeeping(t)
	take := func() (*Event, error) {
		e, err := r.next()
		if err == nil {
			k.take(e)
		}
		return e, err
	}
	for e, err := take(); ; e, err = take() {
		if err != nil {
			t.Fatal(err)
		}
		if e.Snapshot&SnapshotLast != 0 {
			break
		}
	}
	server.MustExec(t, db, "CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (200) TO (300); INSERT INTO p VALUES (201); ALTER TABLE p DETACH PARTITION p2; INSERT INTO p VALUES (2)")
	stale := false
	for rows := 0; rows < 2 || !stale; {
		e, err := take()
		var of *TableStaleError
		switch {
		case errors.As(err, &of) && of.Table == "p" && strings.Contains(err.Error(), "detached or dropped"):
			stale = true
		case err != nil:
			t.Fatal(err)
		case e.Type == Create:
			rows++
		}
	}
	for _, tables := range [][]string{{"a"}, {"a", "p"}} {
		cp := through(t, r.src.Checkpoint())
		r.src.Close()
		cfg.Tables = tables
		r = startReader(t, cfg, cp)
		server.MustExec(t, db, fmt.Sprintf("INSERT INTO a VALUES (%d); INSERT INTO p VALUES (%d)", len(tables), 10+len(tables)))
		for e, err := take(); ; e, err = take() {
			if err != nil {
				t.Fatal(err)
			}
			if e.Type == Create && e.Table.Name == tables[len(tables)-1] {
				break
			}
		}
	}
	k.same(db, "a", "p")
}

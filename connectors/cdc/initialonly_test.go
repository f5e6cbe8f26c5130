package cdc

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
)

// A snapshot without a log to follow is interrupted at random points, by lost
// connections and by restores, and the tables are written to in every way in between:
// in the end they are as of its last attempt.
func TestInitialOnlyInterrupted(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 8))
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY, n int, v text) WITH (fillfactor = 60); ALTER TABLE a ALTER v SET STORAGE EXTERNAL;
		INSERT INTO a SELECT i, 0, CASE WHEN i % 10 = 0 THEN repeat(md5(i::text), 100) ELSE repeat('x', 200) END FROM generate_series(1, 3000) i;
		CREATE TABLE p (id int, k text, v text, PRIMARY KEY (id, k)) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (-1000000) TO (500); CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (500) TO (1000000);
		INSERT INTO p SELECT i, 'k', repeat('y', 200) FROM generate_series(1, 1000) i;
		CREATE TABLE f (x int, y text); ALTER TABLE f REPLICA IDENTITY FULL; INSERT INTO f SELECT i % 10, repeat('z', 500) FROM generate_series(1, 600) i;
		CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, repeat('t', 300) FROM generate_series(1, 800) i`)
	tables := []string{"t", "a", "p", "f"}
	rnd.Shuffle(len(tables), func(i, j int) { tables[i], tables[j] = tables[j], tables[i] })
	cfg := eventsConfig(db, tables...)
	cfg.SnapshotMode, cfg.SnapshotChunkBytes, cfg.BufferSize, cfg.KeepChunks = SnapshotInitialOnly, 16<<10, 50, true
	writes := 0
	// What needs a table alone waits until nobody reads it.
	write := func(alone bool) {
		writes++
		i := rnd.IntN(3200)
		for _, sql := range [][]any{
			{"INSERT INTO a VALUES (%d, 1, repeat('n', 3000)) ON CONFLICT (id) DO UPDATE SET n = a.n + 1", i},
			{"UPDATE a SET n = n + 1 WHERE id %% 500 = %d", i % 500}, // moves, and leaves TOASTed values alone
			{"UPDATE a SET id = id + 10000 * %d WHERE id BETWEEN %d AND %d", writes, i, i + 10},
			{"UPDATE a SET id = -id WHERE ctid = '(%d,1)'", i % 100},
			{"UPDATE a SET v = repeat('w', 2500) || n WHERE id = %d", i},
			{"DELETE FROM a WHERE id BETWEEN %d AND %d", i, i + 3},
			{"DELETE FROM a WHERE ctid = '(%d,2)'; VACUUM a; INSERT INTO a VALUES (%d, 7, repeat('x', 200))", i % 100, -100000 - writes},
			{"BEGIN; UPDATE a SET n = -1 WHERE id %% 10 = 1; SAVEPOINT s; DELETE FROM a WHERE id < %d; ROLLBACK", i},
			{"UPDATE p SET id = (id + 500) %% 1000, k = '%d' || k WHERE id = %d", writes, i % 1000}, // into the other partition
			{"DELETE FROM p WHERE id = %d; INSERT INTO p VALUES (%d, 'again', NULL)", i % 900, i % 900},
			{"UPDATE f SET x = x + 1 WHERE ctid = '(%d,1)'; INSERT INTO f VALUES (%d, 'f'), (%d, 'f')", i % 40, i % 10, i % 10},
			{"VACUUM FREEZE %s", tables[i%4]},
		} {
			if rnd.IntN(4) == 0 {
				execEach(t, db, fmt.Sprintf(sql[0].(string), sql[1:]...))
			}
		}
		for _, sql := range [][]any{
			{"TRUNCATE t; INSERT INTO t SELECT i, repeat('s', 300) FROM generate_series(1, %d) i", 200 + i%500},
			{"TRUNCATE p%d", 1 + i%2},
			{"VACUUM FULL %s", tables[i%4]},
			{"CLUSTER t USING t_pkey; UPDATE t SET v = 'u%d' WHERE id = %d", writes, i % 200},
			{"ALTER TABLE t ADD c%d int DEFAULT 5", writes},
			{"CREATE TABLE p%d PARTITION OF p FOR VALUES FROM (%d) TO (%d)", 100 + writes, 2000000 + 10*writes, 2000001 + 10*writes},
		} {
			if alone && rnd.IntN(12) == 0 {
				execEach(t, db, fmt.Sprintf(sql[0].(string), sql[1:]...))
			}
		}
	}
	k := newKeeping(t)
	stored := k.clone()
	var cp *Checkpoint
	restores, lost, went := 0, 0, 0
	const most = 16
	for done := false; !done; {
		r := startReader(t, cfg, cp)
		goesOn, since := cp != nil && cp.Snapshot.LSN != 0, -1 // reconnections before the last write
		for n := 50 + rnd.IntN(500); n > 0 || restores >= most; n-- {
			e, err := r.src.Recv(r.ctx)
			if err != nil {
				t.Fatal(err)
			}
			if goesOn && e.Snapshot&SnapshotFirst != 0 {
				t.Fatalf("%s from %+v", describe(e), cp.Snapshot)
			}
			if k.take(e); e.Type == Delete || e.Chunk == 0 && e.Type == Read {
				t.Fatal(describe(e))
			}
			if e.Snapshot&SnapshotLast != 0 {
				done = true
				break
			}
			if rnd.IntN(200) == 0 && restores < most {
				write(false)
				since = int(r.src.Metrics().Reconnects)
				server.MustExec(t, db, lostConnections)
				lost++
			}
		}
		if done {
			if _, err := r.src.Recv(r.ctx); err != io.EOF {
				t.Fatal(err)
			}
			if at := r.src.Checkpoint(); int(r.src.Metrics().Reconnects) > since {
				cp = through(t, at)
				break
			}
			done = false // it had been read before that
		}
		at := r.src.Checkpoint()
		r.src.Close()
		write(true)
		if restores++; at.Snapshot != nil && (rnd.IntN(4) > 0 || cp == nil) { // else what came since is lost at the program
			cp, stored = through(t, at), k.clone()
			for _, tp := range cp.Snapshot.Tables {
				went += tp.Done
			}
		}
		k = stored.clone()
	}
	if cp.Snapshot != nil || cp.LSN == 0 {
		t.Fatalf("%+v", cp)
	}
	k.same(db, tables...)
	if t.Logf("%d restores, %d lost connections, %d writes, %d chunks gone on with, voided %v", restores, lost, writes, went, k.voided); went == 0 {
		t.Fatal("no chunk was gone on with")
	}
	// At its end nothing is left to do.
	r := startReader(t, cfg, cp)
	if e, err := r.src.Recv(r.ctx); err != io.EOF {
		t.Fatalf("%v, %v", e, err)
	}
}

// partOf reads a part of a snapshot, some ranges of which are done.
func partOf(t *testing.T, k *keeping, cfg Config, from *Checkpoint) *reader {
	t.Helper()
	r := startReader(t, cfg, from)
	for {
		e, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		k.take(e)
		done := 0
		for _, tp := range r.src.Checkpoint().Snapshot.Tables {
			done += tp.Done
		}
		if done > 3 {
			return r
		}
	}
}

// toEnd reads the rest of a snapshot and gives the events by type.
func toEnd(t *testing.T, k *keeping, r *reader, firsts *int) map[EventType]int {
	t.Helper()
	types := map[EventType]int{}
	for {
		e, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		if e.Snapshot&SnapshotFirst != 0 {
			*firsts++
			clear(types)
		}
		k.take(e)
		types[e.Type]++
		if e.Snapshot&SnapshotLast != 0 {
			return types
		}
	}
}

// A program that does not keep rows by range has them all anew, after a lost
// connection and after a restore; one that does goes on, with a temporary slot and with
// another table too.
func TestInitialOnlyLost(t *testing.T) {
	t.Parallel()
	const tables = `CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a SELECT i, repeat('x', 300) FROM generate_series(1, 3000) i; CREATE TABLE b (id int PRIMARY KEY); INSERT INTO b SELECT generate_series(1, 100)`
	for _, c := range []struct{ keep, restore bool }{{true, true}, {true, false}, {false, true}, {false, false}} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			t.Parallel()
			db := server.CreateDatabase(t)
			server.MustExec(t, db, tables)
			cfg := eventsConfig(db, "a")
			cfg.SnapshotMode, cfg.SnapshotChunkBytes, cfg.SnapshotWorkers, cfg.TemporarySlot, cfg.KeepChunks = SnapshotInitialOnly, 16<<10, 1, true, c.keep
			k, firsts := newKeeping(t), 0
			r := partOf(t, k, cfg, nil)
			names := []string{"a"}
			if c.restore {
				cp := through(t, r.src.Checkpoint())
				r.src.Close()
				server.MustExec(t, db, "UPDATE a SET id = id + 10000 WHERE id IN (1, 2000)")
				if !c.keep { // it has nothing to do with what it was
					server.MustExec(t, db, "ALTER TABLE a RENAME TO was; CREATE TABLE a (id int PRIMARY KEY, w text); INSERT INTO a SELECT id, 'w' FROM was")
				}
				names = append(names, "b")
				cfg.Tables = names
				r = startReader(t, cfg, cp)
			} else {
				server.MustExec(t, db, lostConnections)
				server.MustExec(t, db, "UPDATE a SET id = id + 10000 WHERE id IN (1, 2000)")
			}
			types := toEnd(t, k, r, &firsts)
			if k.same(db, names...); c.keep && firsts > 0 || !c.keep && (firsts != 1 || types[Truncate] > 0) || types[Delete] > 0 {
				t.Fatalf("%d times the first row, events %v", firsts, types)
			}
			if m := r.src.Metrics(); c.keep && c.restore && m.SnapshotRecords > 3000 {
				t.Fatalf("%d rows read", m.SnapshotRecords)
			}
			if got := len(k.counts["a"]) > 1; got != c.keep {
				t.Fatalf("kept by range: %v", got)
			}
			conn := server.MustConnect(t, db)
			for left := 1; left > 0; { // the walsender may end a little later
				if err := conn.QueryRow(r.ctx, "SELECT (SELECT count(*) FROM pg_publication) + (SELECT count(*) FROM pg_replication_slots WHERE database = current_database())").Scan(&left); err != nil {
					t.Fatalf("%d left behind, %v", left, err)
				}
			}
		})
	}
}

// A table that was dropped meanwhile stops; the others go on.
func TestInitialOnlyTableDropped(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a SELECT i, repeat('x', 300) FROM generate_series(1, 2000) i; CREATE TABLE b (id int PRIMARY KEY, v text); INSERT INTO b SELECT * FROM a`)
	cfg := eventsConfig(db, "a", "b")
	cfg.SnapshotMode, cfg.SnapshotChunkBytes, cfg.SnapshotWorkers, cfg.KeepChunks = SnapshotInitialOnly, 16<<10, 1, true
	k := newKeeping(t)
	r := partOf(t, k, cfg, nil)
	cp := through(t, r.src.Checkpoint())
	r.src.Close()
	server.MustExec(t, db, "DROP TABLE b; UPDATE a SET v = 'changed' WHERE id % 100 = 0")
	r = startReader(t, cfg, cp)
	stopped := false
	for {
		e, err := r.src.Recv(r.ctx)
		var table *TableError
		if errors.As(err, &table) && table.Table == "b" {
			stopped = true
			continue
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if k.take(e); e.Snapshot&SnapshotFirst != 0 {
			t.Fatal(describe(e))
		}
	}
	if k.same(db, "a"); !stopped {
		t.Fatal("no error of the dropped table")
	}
}

// The publication of another mode stays as it is, and a table that it lacks is
// read all the same.
func TestInitialOnlyLeavesPublication(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a SELECT i, repeat('x', 300) FROM generate_series(1, 200) i; CREATE TABLE b (id int PRIMARY KEY, v text); INSERT INTO b SELECT * FROM a`)
	cfg := eventsConfig(db, "a")
	const members = "SELECT COALESCE(string_agg(tablename, ','), '') FROM pg_publication_tables"
	r := startReader(t, cfg, nil)
	if _, err := r.src.Recv(r.ctx); err != nil {
		t.Fatal(err)
	}
	r.src.Close()
	if have := server.MustQuery(t, db, members); have != "a" {
		t.Fatalf("the publication has %q", have)
	}
	cfg.Tables, cfg.SnapshotMode, cfg.KeepChunks = []string{"a", "b"}, SnapshotInitialOnly, true
	k := newKeeping(t)
	r = startReader(t, cfg, nil)
	for {
		e, err := r.src.Recv(r.ctx)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		k.take(e)
	}
	k.same(db, "a", "b")
	if have := server.MustQuery(t, db, members); have != "a" {
		t.Fatalf("the publication has %q now", have)
	}
}

// What was read in one mode and is restored in the other begins anew.
func TestInitialOnlyOtherMode(t *testing.T) {
	t.Parallel()
	for _, modes := range [][2]SnapshotMode{{SnapshotInitial, SnapshotInitialOnly}, {SnapshotInitialOnly, SnapshotInitial}} {
		t.Run(fmt.Sprint(modes), func(t *testing.T) {
			t.Parallel()
			db := server.CreateDatabase(t)
			server.MustExec(t, db, "CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a SELECT i, repeat('x', 300) FROM generate_series(1, 2000) i")
			cfg := eventsConfig(db, "a")
			cfg.SnapshotMode, cfg.SnapshotChunkBytes, cfg.SnapshotWorkers, cfg.KeepChunks = SnapshotInitial, 16<<10, 1, true
			k := newKeeping(t)
			r := partOf(t, k, cfg, nil) // makes slot and publication
			if modes[0] == SnapshotInitialOnly {
				r.src.Close()
				k, cfg.SnapshotMode = newKeeping(t), SnapshotInitialOnly
				r = partOf(t, k, cfg, nil)
			}
			cp := through(t, r.src.Checkpoint())
			r.src.Close()
			server.MustExec(t, db, "DELETE FROM a WHERE id % 100 = 0; UPDATE a SET id = id + 10000 WHERE id % 100 = 1")
			cfg.SnapshotMode = modes[1]
			r = startReader(t, cfg, cp)
			firsts := 0
			types := toEnd(t, k, r, &firsts)
			if k.same(db, "a"); firsts != 0 || k.voided["a"] != 1 || types[Read] < 1980 {
				t.Fatalf("%d times the first row, voided %v, events %v", firsts, k.voided, types)
			}
			if kept := len(k.counts["a"]) > 1; kept != (modes[1] == SnapshotInitialOnly) {
				t.Fatalf("kept by range: %v", kept)
			}
		})
	}
}

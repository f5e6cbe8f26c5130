package cdc

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/helios-sql/helios-sql/connectors"
)

const keylessTable = `CREATE TABLE f (x int, y text) WITH (fillfactor = 80); ALTER TABLE f REPLICA IDENTITY FULL; INSERT INTO f SELECT i % 40, repeat('z', 200) FROM generate_series(1, 6000) i;`

// The same with a key: for SnapshotInitialOnly.
const keyedTable = `CREATE TABLE f (x int, y text, id serial PRIMARY KEY) WITH (fillfactor = 80); INSERT INTO f SELECT i % 40, repeat('z', 200) FROM generate_series(1, 6000) i;`

// What is done of a table that is kept by chunk, and has not changed, is not
// read again, however often the snapshot is interrupted.
func TestKeylessSnapshotGoesOn(t *testing.T) {
	t.Parallel()
	const partitioned = `CREATE TABLE f (x int, y text) PARTITION BY RANGE (x); CREATE TABLE f1 PARTITION OF f FOR VALUES FROM (-9) TO (20) WITH (fillfactor = 80);
		CREATE TABLE f2 PARTITION OF f FOR VALUES FROM (20) TO (99) WITH (fillfactor = 80); ALTER TABLE f REPLICA IDENTITY FULL; ALTER TABLE f1 REPLICA IDENTITY FULL;
		ALTER TABLE f2 REPLICA IDENTITY FULL; INSERT INTO f SELECT i % 40, repeat('z', 200) FROM generate_series(1, 6000) i`
	const keyed = `CREATE TABLE f (x int, y text, id serial, PRIMARY KEY (x, id)) PARTITION BY RANGE (x); CREATE TABLE f1 PARTITION OF f FOR VALUES FROM (-9) TO (20) WITH (fillfactor = 80);
		CREATE TABLE f2 PARTITION OF f FOR VALUES FROM (20) TO (99) WITH (fillfactor = 80); INSERT INTO f SELECT i % 40, repeat('z', 200) FROM generate_series(1, 6000) i`
	for _, c := range []struct {
		name, sql string
		mode      SnapshotMode
	}{{"table", keylessTable, SnapshotInitial}, {"partitions", partitioned, SnapshotInitial}, {"initial_only", keyedTable, SnapshotInitialOnly}, {"initial_only, partitions", keyed, SnapshotInitialOnly}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			chunksGoOn(t, c.sql, c.mode)
		})
	}
}

func chunksGoOn(t *testing.T, sql string, mode SnapshotMode) {
	db := server.CreateDatabase(t)
	server.MustExec(t, db, sql)
	cfg := eventsConfig(db, "f")
	cfg.SnapshotMode, cfg.SnapshotChunkBytes, cfg.KeepChunks = mode, 16<<10, true
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 4))
	k, read, runs := newKeeping(t), uint64(0), 0
	var cp *Checkpoint
	done := map[int]bool{} // but for the last chunks, which grow
	for {
		r := startReader(t, cfg, cp)
		runs++
		goesOn := cp != nil && cp.Snapshot.LSN != 0 && cp.Snapshot.Tables[0].Done > 0
		for i := 1 + rnd.IntN(1500); i > 0 || runs > 12; i-- {
			e, err := r.next()
			if err != nil {
				t.Fatal(err)
			}
			if goesOn && (e.Chunk == 0 || e.Snapshot&SnapshotFirst != 0 || done[e.Chunk]) {
				t.Fatalf("%s of chunk %d in run %d from %+v", describe(e), e.Chunk, runs, cp.Snapshot)
			}
			k.take(e)
			if e.Snapshot&SnapshotLast != 0 {
				break
			}
		}
		read += r.src.Metrics().SnapshotRecords
		at := r.src.Checkpoint()
		r.src.Close()
		if at.Snapshot == nil {
			break
		}
		cp = through(t, at)
		before := 0
		for _, h := range cp.Snapshot.Tables[0].Heaps {
			for _, d := range h.Done {
				for c := d[0]; c < min(d[1], h.Chunks-1); c++ {
					done[before+c+1] = true
				}
			}
			before += h.Chunks
		}
		if h := cp.Snapshot.Tables[0].Heaps; len(h) > 0 && !done[h[0].Chunks-5] { // later that version is nothing new
			server.MustExec(t, db, fmt.Sprintf("UPDATE f SET y = repeat('u', 200) WHERE ctid = '(%d,1)' AND x < 20", (h[0].Chunks-6)*int(h[0].Pages)))
		}
		execEach(t, db, "INSERT INTO f VALUES (-1, repeat('a', 200)); BEGIN; INSERT INTO f VALUES (-2, 'rolled back'); UPDATE f SET y = 'no'; ROLLBACK; VACUUM FREEZE f")
	}
	k.same(db, "f")
	// The last chunk grows; the others were read once, but for what was on the way.
	const rowsOfChunk, waiting = 70, 13
	if most := uint64(6000 + runs*waiting*rowsOfChunk); read > most {
		t.Fatalf("%d rows read in %d runs, at most %d expected", read, runs, most)
	}
}

// Of a table that is kept by chunk, only chunks that changed are read again.
func TestKeylessChunkChanged(t *testing.T) {
	t.Parallel()
	for mode, sql := range map[SnapshotMode]string{SnapshotInitial: keylessTable, SnapshotInitialOnly: keyedTable} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			chunkChanged(t, mode, sql)
		})
	}
}

func chunkChanged(t *testing.T, mode SnapshotMode, sql string) {
	for _, c := range []struct {
		name, sql string
		again     []int // of the chunks that were done
	}{
		{"nothing", "SELECT 1", nil},
		{"one of equal rows deleted", "DELETE FROM f WHERE ctid = '(4,1)'", []int{3}},
		{"updated to the same", "UPDATE f SET x = x WHERE ctid = '(3,2)'", []int{2}},
		{"deleted and filled again", "DELETE FROM f WHERE ctid = '(6,1)'; VACUUM f; INSERT INTO f SELECT x, y FROM f WHERE ctid = '(7,1)'; VACUUM FREEZE f", []int{4}},
		{"rolled back", "BEGIN; DELETE FROM f; INSERT INTO f VALUES (1, 'no'); ROLLBACK; VACUUM f", nil},
		{"locked", "BEGIN; SELECT * FROM f FOR UPDATE; COMMIT", nil},
		{"all deleted", "DELETE FROM f", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := server.CreateDatabase(t)
			server.MustExec(t, db, sql)
			cfg := eventsConfig(db, "f")
			cfg.SnapshotMode, cfg.SnapshotChunkBytes, cfg.SnapshotWorkers, cfg.KeepChunks = mode, 16<<10, 1, true
			k := newKeeping(t)
			r := startReader(t, cfg, nil)
			var cp *Checkpoint
			for cp == nil || cp.Snapshot.LSN == 0 || cp.Snapshot.Tables[0].Done < 50 {
				e, err := r.next()
				if err != nil {
					t.Fatal(err)
				}
				k.take(e)
				at := r.src.Checkpoint()
				cp = &at
			}
			cp = through(t, *cp)
			r.src.Close()
			done := map[int]bool{}
			for _, d := range cp.Snapshot.Tables[0].Heaps[0].Done {
				for chunk := d[0]; chunk < d[1]; chunk++ {
					done[chunk+1] = true
				}
			}
			execEach(t, db, c.sql)
			r = startReader(t, cfg, cp)
			voided, again := 0, map[int]bool{}
			for r.src.Checkpoint().Snapshot != nil {
				e, err := r.src.Recv(r.ctx)
				if err != nil {
					t.Fatal(err)
				}
				if k.take(e); e.Type == Truncate {
					if voided++; e.Chunk == 0 {
						voided = -1 << 20
					}
				}
				if done[e.Chunk] {
					again[e.Chunk] = true
				}
			}
			if k.same(db, "f"); c.name == "all deleted" {
				if voided >= 0 {
					t.Fatalf("%d chunks were void, not the table", voided)
				}
				return
			}
			want := map[int]bool{}
			for _, chunk := range c.again {
				if done[chunk] {
					want[chunk] = true
				}
			}
			if !maps.Equal(again, want) || voided != cp.Snapshot.Tables[0].Chunks-len(done)+len(want) {
				t.Fatalf("read again are %v, want %v; %d chunks void of %d, of which %d were done", again, want, voided, cp.Snapshot.Tables[0].Chunks, len(done))
			}
		})
	}
}

// execEach runs statements one by one on one connection.
func execEach(t testing.TB, db, sql string) {
	t.Helper()
	conn := server.MustConnect(t, db)
	defer conn.Close(context.Background())
	for _, s := range strings.Split(sql, "; ") {
		if _, err := conn.Exec(context.Background(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// A sink fails at every step of a snapshot that goes on, while the tables are
// written to, truncated and rewritten.
func TestSnapshotSinkFails(t *testing.T) {
	t.Parallel()
	for _, mode := range []SnapshotMode{SnapshotInitial, SnapshotInitialOnly} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			sinkFails(t, mode)
		})
	}
}

func sinkFails(t *testing.T, mode SnapshotMode) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 5))
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a SELECT i, repeat('x', 200) FROM generate_series(1, 1000) i;
		CREATE TABLE f (x int, y text) WITH (fillfactor = 70); ALTER TABLE f REPLICA IDENTITY FULL; INSERT INTO f SELECT i % 20, repeat('z', 200) FROM generate_series(1, 1500) i;
		CREATE TABLE g (x int, y text) PARTITION BY RANGE (x); CREATE TABLE g1 PARTITION OF g FOR VALUES FROM (0) TO (10); CREATE TABLE g2 PARTITION OF g FOR VALUES FROM (10) TO (1000);
		ALTER TABLE g REPLICA IDENTITY FULL; ALTER TABLE g1 REPLICA IDENTITY FULL; ALTER TABLE g2 REPLICA IDENTITY FULL; INSERT INTO g SELECT * FROM f`)
	writes := 0
	write := func() {
		i := rnd.IntN(1000)
		writes++
		for _, sql := range []string{
			fmt.Sprintf("UPDATE a SET v = 'n' || v WHERE id %% 100 = %d; DELETE FROM a WHERE id = %d", i%100, i),
			fmt.Sprintf("UPDATE f SET x = (x + 1) %% 20 WHERE ctid = '(%d,1)'", i%40),
			fmt.Sprintf("DELETE FROM f WHERE ctid = '(%d,2)'; INSERT INTO f VALUES (%d, repeat('z', 200))", i%40, i%20),
			fmt.Sprintf("UPDATE g SET x = (x + 7) %% 20 WHERE ctid = '(%d,3)'", i%20),
			fmt.Sprintf("INSERT INTO g SELECT %d, repeat('z', 200) FROM generate_series(1, 3)", i%20),
		} {
			if rnd.IntN(3) == 0 {
				server.MustExec(t, db, sql)
			}
		}
	}
	cfg := testConfig(server, db, "a", "f", "g")
	cfg.SnapshotMode, cfg.SnapshotChunkBytes = mode, 16<<10
	k := &keeper{mirror: &mirror{}, rnd: rnd}
	c := newKeeperCapture(t, k, db, cfg)
	const back = "ALTER TABLE IF EXISTS away RENAME TO f"
	// Here no table is locked.
	failures := 0
	const most = 40
	k.begun = func(state string) {
		switch {
		case state != "snapshot":
			server.MustExec(t, db, back)
		case rnd.IntN(3) == 0 && (mode == SnapshotInitial || failures < most):
			write()
			server.MustExec(t, db, []string{"TRUNCATE a", "TRUNCATE f", "TRUNCATE g2", "VACUUM FULL g1", "VACUUM FULL f", "ALTER TABLE f RENAME TO away"}[rnd.IntN(6)])
		}
	}
	for {
		before := writes
		if k.calls = 1 + rnd.IntN(60); failures >= most {
			k.calls = math.MaxInt
		}
		if c.take(k) {
			if mode == SnapshotInitial || writes == before {
				break
			}
			// It is of some time within the writes: once more.
			c.stop()
			k.has = newKept(len(k.tables))
			k.last, c.started = k.has.clone(), false
		}
		server.MustExec(t, db, back)
		failures++
		if rnd.IntN(2) == 0 && k.last.record != nil {
			k.has = k.last.clone()
		}
		write()
	}
	if mode == SnapshotInitial {
		write()
		c.sync()
	}
	c.compare()
	if t.Logf("%d failures, went on %d times", failures, k.goes); k.goes == 0 {
		t.Fatal("the snapshot never went on")
	}
}

// A sink fails between the record and what becomes void behind it. Then rows
// come back to what they were at the record before, which must not count any more. Nor
// is what was done of a table that is renamed just then.
func TestSnapshotVoidFails(t *testing.T) {
	t.Parallel()
	for _, s := range []struct {
		voids         int // of table a, and of the last chunk of f
		late, renamed bool
	}{{1, false, false}, {2, false, false}, {2, true, false}, {1, false, true}} {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			t.Parallel()
			db := server.CreateDatabase(t)
			server.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a SELECT i, repeat('x', 200) FROM generate_series(1, 1000) i;`+keylessTable)
			cfg := testConfig(server, db, "f", "a")
			cfg.SnapshotChunkBytes, cfg.SnapshotWorkers = 16<<10, 1
			k := &keeper{mirror: &mirror{}, calls: 240, late: s.late}
			c := newKeeperCapture(t, k, db, cfg)
			if c.take(k) {
				t.Fatal("the sink did not fail")
			}
			p := new(SnapshotProgress)
			if err := json.Unmarshal(k.has.record, p); err != nil {
				t.Fatal(err)
			}
			if f, a := p.Tables[0], p.Tables[1]; f.Done < f.Chunks || a.Done == 0 || a.Done == a.Chunks {
				t.Fatalf("%+v", p)
			}
			execEach(t, db, "TRUNCATE a; INSERT INTO a VALUES (5000, 'other'); INSERT INTO f VALUES (7, 'there')")
			then := "DELETE FROM f WHERE y = 'there'"
			if k.calls, k.voids = 0, s.voids; s.renamed {
				server.MustExec(t, db, "UPDATE f SET x = 77 WHERE ctid = '(1,2)'") // as many rows as before
				then = "ALTER TABLE away RENAME TO f"
				k.begun = func(string) {
					server.MustExec(t, db, "ALTER TABLE f RENAME TO away")
					k.begun = nil
				}
			}
			if c.take(k) {
				t.Fatal("the sink did not fail")
			}
			server.MustExec(t, db, then)
			if !c.take(k) {
				t.Fatal("the sink fails")
			}
			c.same()
		})
	}
}

// Progress that is not what a source wrote is at most taken for less.
func TestSnapshotProgressHostile(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 6))
	r := &run{feed: &feed{}}
	key := &tableState{Table: connectors.Table{ID: 0, OID: 10, Key: []int{0}}}
	bag := &tableState{Table: connectors.Table{ID: 1, OID: 20}}
	r.tables = []*tableState{key, bag}
	plan := func() *snapshotPlan {
		p := &snapshotPlan{rows: make([]uint64, 2), horizon: make([]uint64, 2), torn: make([]error, 2), defs: []string{"k", "b"}}
		for _, h := range []*heap{{table: key, oid: 10, filenode: 11}, {table: bag, oid: 21, filenode: 22}, {table: bag, oid: 23, filenode: 24}} {
			h.ranged, h.pages = true, 4
			h.chunks(3)
			p.heaps = append(p.heaps, h)
		}
		p.number()
		return p
	}
	// What was written is what is read.
	p := plan()
	p.lsn, p.xmin, p.horizon[1], p.rows[1] = 7, 8, 9, 10
	p.heaps[1].done[2], p.heaps[1].counts[2] = true, 5
	p.heaps[2].done[0], p.heaps[0].done[1] = true, true
	data, err := json.Marshal(p.progress(r))
	if err != nil {
		t.Fatal(err)
	}
	was := new(SnapshotProgress)
	if err := json.Unmarshal(data, was); err != nil {
		t.Fatal(err)
	}
	q := plan()
	if anew := q.adopt(was, r); anew[0] || anew[1] {
		t.Fatal(anew)
	}
	if again, err := json.Marshal(q.progress(r)); err != nil || string(again) != string(data) {
		t.Fatalf("%v\n%s\n%s", err, again, data)
	}
	if q.heaps[2].before != 3 || q.chunks != 3 || q.all != 9 {
		t.Fatalf("%+v", q)
	}
	// Without counts nothing is done of a table without a key.
	for _, counts := range [][]uint64{nil, {1}, {1, 2}, {1, 2, 3, 4, 5, 6}} {
		was.Tables[1].Heaps[0].Counts = counts
		q := plan()
		q.adopt(was, r)
		if q.heaps[1].done[2] != (len(counts) > 2) || len(q.heaps[1].counts) != 3 {
			t.Fatalf("counts %v: %+v", counts, q.heaps[1])
		}
	}
	// Nor of a table that was kept in the other way, there and back.
	r.cfg.SnapshotMode = SnapshotInitialOnly
	q = plan()
	if anew := q.adopt(was, r); !anew[0] || anew[1] || q.heaps[0].done[1] {
		t.Fatal(anew)
	}
	only := plan()
	only.horizon[0], only.horizon[1], only.heaps[0].done[1], only.heaps[0].counts[1] = 8, 9, true, 5
	kept := only.progress(r)
	if q = plan(); slices.Contains(q.adopt(kept, r), true) || !q.heaps[0].done[1] || q.heaps[0].counts[1] != 5 || q.horizon[0] != 8 {
		t.Fatalf("%+v", q)
	}
	r.cfg.SnapshotMode = SnapshotInitial
	q = plan()
	if anew := q.adopt(kept, r); !anew[0] || anew[1] || q.chunks != 0 {
		t.Fatal(anew)
	}
	// Nor with a program that does not keep chunks, there and back.
	r.cfg.events = true
	q = plan()
	if anew := q.adopt(was, r); anew[0] || !anew[1] || q.chunks != 1 {
		t.Fatal(anew)
	}
	if s := q.progress(r); s.Tables[1].XMin != 0 || s.Tables[1].Heaps[0].Counts != nil {
		t.Fatalf("%+v", s.Tables[1])
	}
	r.cfg.KeepChunks = true
	odd := func() int {
		return []int{-1, 0, 1, 2, 3, 4, math.MaxInt, math.MinInt, math.MaxInt32 + 1, math.MaxUint32}[rnd.IntN(10)]
	}
	for range 2000 {
		s := &SnapshotProgress{}
		for range rnd.IntN(4) {
			tp := TableProgress{OID: uint32(10 * rnd.IntN(4)), Definition: []string{"k", "b"}[rnd.IntN(2)], Chunks: odd(), Done: odd(), XMin: rnd.Uint64()}
			for range rnd.IntN(4) {
				i := rnd.IntN(3)
				hp := HeapProgress{OID: []uint32{10, 21, 23}[i], Filenode: []uint32{11, 22, 24}[i], Pages: uint32(odd()), Chunks: odd()}
				if uint(hp.Chunks) > 1000 && hp.Pages < 1<<20 {
					hp.Pages = 1 << 31
				}
				for range rnd.IntN(3) {
					hp.Done = append(hp.Done, [2]int{odd(), odd()})
				}
				hp.Counts = make([]uint64, rnd.IntN(6))
				tp.Heaps = append(tp.Heaps, hp)
			}
			s.Tables = append(s.Tables, tp)
		}
		q := plan()
		q.adopt(s, r)
		if q.progress(r); q.chunks > q.all || len(r.pieces(q)) > q.all {
			t.Fatalf("%d of %d chunks done, by %+v", q.chunks, q.all, s)
		}
	}
}

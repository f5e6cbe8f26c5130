package cdc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A keeping is a program that keeps what a Source gives as docs/cdc.md says:
// rows by key are replaced, deleted or not there; rows without a key, or with a
// chunk, are counted, by chunk if they have one.
type keeping struct {
	t      testing.TB
	tables map[string]map[string]string      // by table: key to row
	counts map[string]map[int]map[string]int // by table and chunk: row to count
	voided map[string]int
}

func newKeeping(t testing.TB) *keeping {
	return &keeping{t: t, tables: map[string]map[string]string{}, counts: map[string]map[int]map[string]int{}, voided: map[string]int{}}
}

func (k *keeping) clone() *keeping {
	c := newKeeping(k.t)
	for name, rows := range k.tables {
		c.tables[name] = maps.Clone(rows)
	}
	for name, chunks := range k.counts {
		c.counts[name] = map[int]map[string]int{}
		for chunk, rows := range chunks {
			c.counts[name][chunk] = maps.Clone(rows)
		}
	}
	c.voided = maps.Clone(k.voided)
	return c
}

func keyOf(r Image, keys []int) string {
	var b strings.Builder
	for _, i := range keys {
		fmt.Fprintf(&b, "%s|", r.Text(i))
	}
	return b.String()
}

func (k *keeping) take(e *Event) {
	if e.Snapshot&SnapshotFirst != 0 {
		clear(k.tables)
		clear(k.counts)
	}
	if e.Table == nil || e.Type == SchemaChange {
		return
	}
	name := e.Table.Name
	if k.tables[name] == nil {
		k.tables[name], k.counts[name] = map[string]string{}, map[int]map[string]int{}
	}
	if e.Type == Truncate && e.Chunk > 0 {
		delete(k.counts[name], e.Chunk)
		return
	}
	if e.Type == Truncate {
		clear(k.tables[name])
		clear(k.counts[name])
		k.voided[name]++
		return
	}
	text := func(r Image, old []string) string {
		var row []string
		for i := range r.Columns() {
			switch {
			case r.Unchanged(i):
				row = append(row, old[i])
			case r.Null(i):
				row = append(row, "NULL")
			default:
				row = append(row, r.Text(i))
			}
		}
		return strings.Join(row, "|")
	}
	if len(e.Table.Key) == 0 || e.Chunk > 0 {
		if k.counts[name][e.Chunk] == nil {
			k.counts[name][e.Chunk] = map[string]int{}
		}
		if e.HasBefore() {
			k.counts[name][e.Chunk][text(e.Before(), nil)]--
		}
		if e.HasAfter() {
			k.counts[name][e.Chunk][text(e.After(), nil)]++
		}
		return
	}
	at := keyOf(e.Keyed(), e.Table.Key)
	old, had := k.tables[name][at]
	if e.Snapshot == 0 && (e.Type == Create) == had {
		k.t.Fatalf("%s of table %s, key %s: there %v", e.Type, name, at, had)
	}
	delete(k.tables[name], at)
	if e.HasAfter() {
		k.tables[name][keyOf(e.After(), e.Table.Key)] = text(e.After(), strings.Split(old, "|"))
	}
}

func (k *keeping) rows(name string) []string {
	rows := slices.Collect(maps.Values(k.tables[name]))
	sums := map[string]int{}
	for _, counts := range k.counts[name] {
		for row, n := range counts {
			sums[row] += n
		}
	}
	for row, n := range sums {
		if n < 0 {
			k.t.Fatalf("table %s has %d of row %s", name, n, row)
		}
		for range n {
			rows = append(rows, row)
		}
	}
	slices.Sort(rows)
	return rows
}

func (k *keeping) same(db string, tables ...string) {
	k.t.Helper()
	conn := server.MustConnect(k.t, db)
	for _, name := range tables {
		rows, _ := conn.Query(context.Background(), "SELECT * FROM "+name, pgx.QueryExecModeSimpleProtocol)
		want, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (string, error) {
			var text []string
			for _, v := range r.RawValues() {
				if v == nil {
					v = []byte("NULL")
				}
				text = append(text, string(v))
			}
			return strings.Join(text, "|"), nil
		})
		if err != nil {
			k.t.Fatal(err)
		}
		slices.Sort(want)
		if got := k.rows(name); !slices.Equal(got, want) {
			k.t.Fatalf("table %s: %d rows, want %d; first difference:\n%.3000s", name, len(got), len(want), difference(got, want))
		}
	}
}

// A table is copied in ranges of pages by several workers; what happens
// meanwhile comes after it.
func TestSnapshotRanges(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY, n int, v text); INSERT INTO a SELECT i, 0, repeat('x', 200) FROM generate_series(1, 8000) i;
		CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (500);
		CREATE TABLE p2 (v text, id int NOT NULL); ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (500) TO (100000); INSERT INTO p SELECT i, repeat('y', 300) FROM generate_series(1, 2000) i;
		CREATE TABLE base (id int PRIMARY KEY); CREATE TABLE child () INHERITS (base); INSERT INTO base VALUES (1); INSERT INTO child VALUES (2); CREATE TABLE empty (id int PRIMARY KEY)`)
	cfg := testConfig(server, db, "a", "p", "base", "empty")
	cfg.SnapshotWorkers, cfg.SnapshotChunkBytes = 3, 64<<10
	c := &capture{mirror: &mirror{}, t: t, srv: server, db: db, cfg: cfg}
	src, err := newFeed(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.mirror.src = src
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel, c.done = cancel, make(chan error, 1)
	n := 0
	go func() {
		c.done <- src.Run(ctx, nil, &cuttingSink{c.mirror, func() {
			n++
			c.exec(fmt.Sprintf("UPDATE a SET n = n + 1 WHERE id %% 400 = %d; UPDATE a SET id = -id WHERE id = %d; DELETE FROM a WHERE id = %d; INSERT INTO p VALUES (%d, 'new')", n, 10*n, 10*n+1, 5000+n))
		}})
	}()
	defer func() {
		c.stop()
		if err := DropSlot(context.Background(), cfg, true); err != nil {
			t.Log(err)
		}
	}()
	c.until("the snapshot", func() bool { return c.started })
	c.same()
	m := src.Metrics()
	if m.SnapshotChunks < 35 || m.SnapshotChunksDone != m.SnapshotChunks || m.SnapshotRecords != 10001 || m.SnapshotTables != 4 || n < 35 {
		t.Fatalf("%d batches, metrics %+v", n, m)
	}
}

// What was recorded as done is not read again, however often the snapshot is
// interrupted.
func TestSnapshotGoesOn(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY, v int[], w text); INSERT INTO a SELECT i, ARRAY[i], repeat('x', 200) FROM generate_series(1, 6000) i`)
	cfg := eventsConfig(db, "a")
	cfg.SnapshotChunkBytes = 16 << 10
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	k, read, runs := newKeeping(t), uint64(0), 0
	var cp *Checkpoint
	for {
		r := startReader(t, cfg, cp)
		runs++
		for i := rnd.IntN(1500); i > 0 || runs > 12; i-- {
			e, err := r.next()
			if err != nil {
				t.Fatal(err)
			}
			if e.Type != Read || runs > 1 && e.Snapshot&SnapshotFirst != 0 && cp != nil && cp.Snapshot.LSN != 0 {
				t.Fatalf("%s in run %d from %+v", describe(e), runs, cp.Snapshot)
			}
			k.take(e)
			if e.Snapshot&SnapshotLast != 0 {
				break
			}
		}
		m := r.src.Metrics()
		read += m.SnapshotRecords
		at := r.src.Checkpoint()
		r.src.Close()
		if at.Snapshot == nil {
			break
		}
		if cp != nil && cp.Snapshot.LSN != 0 {
			if was, is := cp.Snapshot.Tables[0], at.Snapshot.Tables[0]; is.Done < was.Done || is.Chunks != was.Chunks || is.Heaps[0].Filenode == 0 {
				t.Fatalf("from %+v to %+v", was, is)
			}
		}
		cp = through(t, at)
	}
	k.same(db, "a")
	// At most what waited for the program, and what was on the way, was read in vain.
	const rowsOfChunk, waiting = 70, 12
	if most := uint64(6000 + runs*waiting*rowsOfChunk); read > most {
		t.Fatalf("%d rows read in %d runs, at most %d expected", read, runs, most)
	}
}

// lostConnections ends a source's connections to a database.
const lostConnections = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'helios%' AND pid <> pg_backend_pid()"

// The snapshot is interrupted at random points, by lost connections and by
// restores from a checkpoint, while the tables are written to in every way.
func TestSnapshotInterruptedUnderWrites(t *testing.T) {
	t.Parallel()
	for _, keepChunks := range []bool{false, true} {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed, keepChunks), func(t *testing.T) { interruptSnapshot(t, seed, keepChunks) })
	}
}

func interruptSnapshot(t *testing.T, seed uint64, keepChunks bool) {
	rnd := rand.New(rand.NewPCG(seed, 2))
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY, n int, v text) WITH (fillfactor = 40); ALTER TABLE a ALTER v SET STORAGE EXTERNAL;
		INSERT INTO a SELECT i, 0, CASE WHEN i % 10 = 0 THEN repeat(md5(i::text), 100) ELSE repeat('x', 100) END FROM generate_series(1, 2000) i;
		CREATE TABLE p (id int, k text, v text, PRIMARY KEY (id, k)) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (-1000000) TO (500); CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (500) TO (1000000);
		INSERT INTO p SELECT i, 'k', repeat('y', 200) FROM generate_series(1, 1000) i;
		CREATE TABLE f (x int, y text); ALTER TABLE f REPLICA IDENTITY FULL; INSERT INTO f SELECT i % 10, repeat('z', 500) FROM generate_series(1, 600) i;
		CREATE TABLE g (x int, y text) PARTITION BY RANGE (x); CREATE TABLE g1 PARTITION OF g FOR VALUES FROM (0) TO (5); CREATE TABLE g2 PARTITION OF g FOR VALUES FROM (5) TO (1000);
		ALTER TABLE g REPLICA IDENTITY FULL; ALTER TABLE g1 REPLICA IDENTITY FULL; ALTER TABLE g2 REPLICA IDENTITY FULL; INSERT INTO g SELECT * FROM f LIMIT 400;
		CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, repeat('t', 300) FROM generate_series(1, 500) i`)
	tables := []string{"t", "a", "p", "f", "g"}
	rnd.Shuffle(len(tables), func(i, j int) { tables[i], tables[j] = tables[j], tables[i] })
	cfg := eventsConfig(db, tables...)
	cfg.SnapshotChunkBytes, cfg.BufferSize, cfg.KeepChunks = 16<<10, 50, keepChunks
	writes := 0
	write := func() {
		i := rnd.IntN(2200)
		writes++
		for _, sql := range [][]any{
			{"INSERT INTO a VALUES (%d, 1, repeat('n', 3000)) ON CONFLICT (id) DO UPDATE SET n = a.n + 1", i},
			{"UPDATE a SET n = n + 1 WHERE id %% 50 = %d", i % 50}, // moves, and leaves TOASTed values alone
			{"UPDATE a SET id = id + 10000 * %d WHERE id BETWEEN %d AND %d", writes, i, i + 10},
			{"UPDATE a SET v = repeat('w', 2500) || n WHERE id = %d", i},
			{"DELETE FROM a WHERE id BETWEEN %d AND %d", i, i + 3},
			{"UPDATE p SET id = (id + 500) %% 1000, k = '%d' || k WHERE id = %d", writes, i % 1000},
			{"UPDATE p SET v = v || 'n' WHERE id %% 100 = %d; DELETE FROM p WHERE id = %d; INSERT INTO p VALUES (%d, 'again', NULL)", i % 100, i % 900, i % 900},
			{"UPDATE f SET x = x + 1 WHERE x = %d; DELETE FROM f WHERE x = 5; INSERT INTO f VALUES (%d, 'f'), (%d, 'f')", i % 10, i % 10, i % 10},
			{"DELETE FROM %[2]s WHERE ctid = (SELECT max(ctid) FROM %[2]s WHERE x = %[1]d); INSERT INTO %[2]s VALUES (%[1]d, repeat('z', 500))", i % 5, []string{"f", "g1"}[i%2]},
			{"UPDATE g SET x = (x + 3) %% 10 WHERE ctid = '(%d,1)'; DELETE FROM g WHERE ctid = '(%d,2)'; INSERT INTO g VALUES (%d, 'g')", i % 20, i % 7, i % 10},
		} {
			if rnd.IntN(2) == 0 {
				server.MustExec(t, db, fmt.Sprintf(sql[0].(string), sql[1:]...))
			}
		}
	}
	// What needs the whole table is given up if the snapshot holds it just now.
	define := func() {
		sql := []string{
			"TRUNCATE t; INSERT INTO t SELECT i, repeat('s', 300) FROM generate_series(1, 200) i",
			"TRUNCATE p2",
			"VACUUM FULL a",
			"VACUUM a; VACUUM FREEZE f; VACUUM FREEZE g1",
			"TRUNCATE g2",
			"VACUUM FULL f",
			"ALTER TABLE t ADD c text DEFAULT 'c'; INSERT INTO t VALUES (-1, 'v', 'c'); ALTER TABLE t DROP c; DELETE FROM t WHERE id = -1",
			"BEGIN; UPDATE a SET n = -1; SAVEPOINT s; DELETE FROM a WHERE id < 10; ROLLBACK TO s; UPDATE a SET v = 'sub' WHERE id % 100 = 1; COMMIT",
		}[rnd.IntN(8)]
		conn := server.MustConnect(t, db)
		defer conn.Close(context.Background())
		for _, sql := range append([]string{"SET lock_timeout = '100ms'"}, strings.Split(sql, "; ")...) {
			_, err := conn.Exec(context.Background(), sql)
			var pg *pgconn.PgError
			if errors.As(err, &pg) && pg.Code == string(pgerr.LockNotAvailable) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	k := newKeeping(t)
	var cp *Checkpoint
	stored := k.clone()
	kills := 0
	const most = 16
	for done := false; !done; {
		r := startReader(t, cfg, cp)
		for n := 50 + rnd.IntN(400); n > 0 || kills >= most; n-- {
			e, err := r.next()
			var table *TableError
			if errors.As(err, &table) {
				t.Fatal(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			k.take(e)
			if rnd.IntN(20) == 0 && kills < most {
				write()
				if rnd.IntN(20) == 0 {
					define()
				}
			}
			if rnd.IntN(150) == 0 && kills < most {
				server.MustExec(t, db, lostConnections)
			}
			if at := r.src.Checkpoint(); at.Snapshot == nil {
				done = true
				break
			}
		}
		at := r.src.Checkpoint()
		if !done {
			r.src.Close()
			if kills++; rnd.IntN(4) == 0 {
				define()
			}
			write()
			if rnd.IntN(4) > 0 || cp == nil { // else what came since is lost at the program
				cp = through(t, at)
				stored = k.clone()
			}
			k = stored.clone()
			continue
		}
		// From here on everything is exact.
		k.t = t
		write()
		lsn, err := pglogrepl.ParseLSN(serverValue(t, db, "SELECT pg_current_wal_lsn()::text"))
		if err != nil {
			t.Fatal(err)
		}
		for r.src.Checkpoint().LSN < connectors.LSN(lsn) {
			e, err := r.src.Recv(r.ctx)
			if err != nil {
				t.Fatal(err)
			}
			k.take(e)
		}
		k.same(db, tables...)
	}
	t.Logf("%d restores, voided %v", kills, k.voided)
}

func serverValue(t testing.TB, db, sql string) (value string) {
	t.Helper()
	if err := server.MustConnect(t, db).QueryRow(context.Background(), sql).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

// A table that is dropped within the snapshot stops; the others go on, at the
// next attempt too.
func TestSnapshotTableDropped(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a SELECT i, repeat('x', 300) FROM generate_series(1, 1000) i;
		CREATE TABLE b (id int PRIMARY KEY, v text); INSERT INTO b SELECT * FROM a; CREATE TABLE c (id int PRIMARY KEY); INSERT INTO c VALUES (1)`)
	cfg := eventsConfig(db, "a", "b", "c")
	cfg.SnapshotChunkBytes, cfg.SnapshotWorkers = 8<<10, 1
	k := newKeeping(t)
	r := startReader(t, cfg, nil)
	for range 100 {
		e, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		k.take(e)
	}
	server.MustExec(t, db, "DROP TABLE b")
	failed := false
	for i := 0; ; i++ {
		if i == 300 {
			cp := r.src.Checkpoint()
			r.src.Close()
			r = startReader(t, cfg, &cp)
			failed = false
		}
		e, err := r.next()
		var table *TableError
		if errors.As(err, &table) && table.Table == "b" {
			failed = true
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		k.take(e)
		if e.Snapshot&SnapshotLast != 0 {
			break
		}
	}
	server.MustExec(t, db, "INSERT INTO a VALUES (0, 'new')")
	for {
		e, err := r.next()
		var table *TableError
		if errors.As(err, &table) {
			failed = true
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if k.take(e); e.Type == Create {
			break
		}
	}
	if k.same(db, "a", "c"); !failed {
		t.Fatal("no error of the dropped table")
	}
}

// A table that is truncated while the snapshot is read begins anew. The others
// are read to their end, and what is done moves up to the position that they were
// read at: the next attempt has little to do however often this happens.
func TestSnapshotTruncated(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a SELECT i, repeat('x', 300) FROM generate_series(1, 3000) i;
		CREATE TABLE b (id int PRIMARY KEY, v text); INSERT INTO b VALUES (1, 'before'); CREATE TABLE c (id int PRIMARY KEY, v text); INSERT INTO c SELECT * FROM a`)
	cfg := eventsConfig(db, "a", "b", "c")
	cfg.SnapshotChunkBytes, cfg.SnapshotWorkers, cfg.BufferSize = 8<<10, 1, 50
	k := newKeeping(t)
	r := startReader(t, cfg, nil)
	var of []connectors.LSN
	for i := 0; ; i++ {
		e, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		k.take(e)
		if i == 0 {
			server.MustExec(t, db, "UPDATE a SET v = 'moved' WHERE id % 10 = 1; TRUNCATE b; INSERT INTO b SELECT * FROM a")
		}
		if e.Type == Truncate {
			of = append(of, r.src.Checkpoint().Snapshot.LSN)
			if e.Table.Name == "b" { // which is read now
				server.MustExec(t, db, "DELETE FROM a WHERE id % 10 = 2; TRUNCATE c; INSERT INTO c SELECT * FROM a")
			}
		}
		if e.Snapshot&SnapshotLast != 0 {
			break
		}
	}
	k.same(db, "a", "b", "c")
	if m := r.src.Metrics(); k.voided["a"] != 0 || k.voided["b"] != 1 || k.voided["c"] != 1 || of[1] <= of[0] || m.SnapshotRecords > 12_000+100 {
		t.Fatalf("voided %v, what was done was of %v, metrics %+v", k.voided, of, m)
	}
}

// Where the connection that holds a snapshot is gone, another attempt takes
// another one, whenever that is noticed.
func TestSnapshotHolderGone(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := &run{cfg: Config{ConnectionString: server.DSN(server.CreateDatabase(t))}}
	conn, err := connect(ctx, &r.cfg, false)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if err := r.oldest(ctx, conn, &madeSlot{snapshot: "00000003-0000ABCD-1"}); !IsTransient(err) {
		t.Fatal(err)
	}
	// Its process has ended, and the file of the snapshot is still there.
	if err := untaken(&pgconn.PgError{Code: "55000", Message: "could not import the requested snapshot"}); !IsTransient(err) {
		t.Fatal(err)
	}
	if err := untaken(&pgconn.PgError{Code: "42501", Message: "permission denied"}); IsTransient(err) {
		t.Fatal(err)
	}
}

// A table whose definition has changed while the source was down begins anew.
func TestSnapshotRedefined(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a SELECT i, repeat('x', 300) FROM generate_series(1, 1000) i;
		CREATE TABLE b (id int PRIMARY KEY, v text); INSERT INTO b SELECT * FROM a`)
	cfg := eventsConfig(db, "a", "b")
	cfg.SnapshotChunkBytes, cfg.SnapshotWorkers = 8<<10, 1
	k := newKeeping(t)
	r := startReader(t, cfg, nil)
	for range 1200 {
		e, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		k.take(e)
	}
	cp := r.src.Checkpoint()
	r.src.Close()
	server.MustExec(t, db, "ALTER TABLE b DROP v; ALTER TABLE b ADD w int DEFAULT 7; UPDATE b SET w = 8 WHERE id = 3; UPDATE a SET v = NULL WHERE id = 5; ALTER TABLE a RENAME TO renamed")
	r = startReader(t, cfg, &cp)
	types := map[EventType]int{}
	for {
		e, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		k.take(e)
		types[e.Type]++
		if e.Table != nil && e.Table.Name == "b" && (e.Table.Version != 2 || e.Table.Column("w") < 0) {
			t.Fatal(describe(e))
		}
		if e.Snapshot&SnapshotLast != 0 {
			break
		}
	}
	if k.same(db, "b"); types[Truncate] != 1 || types[Delete] != 1 || types[Read] > 1010 {
		t.Fatalf("events %v", types)
	}
	k.tables["renamed"] = k.tables["a"]
	k.same(db, "renamed")
}

// A table is redefined while the connection is lost within its snapshot: what
// was read before follows the definition that it was read by.
func TestSnapshotRedefinedLost(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, "CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a SELECT i, repeat('x', 300) FROM generate_series(1, 1000) i")
	cfg := eventsConfig(db, "a")
	cfg.SnapshotChunkBytes, cfg.SnapshotWorkers, cfg.BufferSize = 8<<10, 1, 10
	k := newKeeping(t)
	r := startReader(t, cfg, nil)
	for range 50 {
		e, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		k.take(e)
	}
	server.MustExec(t, db, lostConnections)
	server.MustExec(t, db, "ALTER TABLE a ADD w int DEFAULT 7")
	for {
		e, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		k.take(e)
		if e.Snapshot&SnapshotLast != 0 {
			break
		}
	}
	if k.same(db, "a"); k.voided["a"] != 1 {
		t.Fatalf("voided %v", k.voided)
	}
}

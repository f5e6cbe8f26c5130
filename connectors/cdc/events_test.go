package cdc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// A reader is a program that uses a Source.
type reader struct {
	t   testing.TB
	ctx context.Context
	src *Source
	cfg Config
}

func eventsConfig(db string, tables ...string) Config {
	return Config{ConnectionString: server.DSN(db), SlotName: "ev_" + db, Tables: tables,
		PollInterval: 5 * time.Millisecond, CheckpointInterval: 20 * time.Millisecond, HeartbeatInterval: 20 * time.Millisecond}
}

func startReader(t testing.TB, cfg Config, from *Checkpoint) *reader {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	r := &reader{t: t, ctx: ctx, cfg: cfg}
	var err error
	if r.src, err = NewSource(cfg); err != nil {
		t.Fatal(err)
	}
	if from != nil {
		if err := r.src.Restore(*from); err != nil {
			t.Fatal(err)
		}
	}
	for {
		err := r.src.Start(ctx)
		var transient *TransientError
		if err == nil {
			break
		} else if !errors.As(err, &transient) { // the slot of one that was closed is in use for a moment
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		r.src.Close()
		cancel()
		if err := DropSlot(context.Background(), cfg, true); err != nil {
			t.Log(err)
		}
	})
	return r
}

// describe gives an event in one line.
func describe(e *Event) string {
	var b strings.Builder
	b.WriteString(e.Type.String())
	if e.Table != nil {
		fmt.Fprintf(&b, " %s@%d", e.Table.Name, e.Table.Version)
	}
	image := func(name string, r Image) {
		if r.Len() == 0 {
			return
		}
		fmt.Fprintf(&b, " %s(", name)
		for i, c := range r.Columns() {
			if i > 0 {
				b.WriteByte(' ')
			}
			switch v := r.Value(i).(type) {
			case nil:
				if r.Known(i) {
					fmt.Fprintf(&b, "%s=NULL", c.Name)
				} else {
					fmt.Fprintf(&b, "%s=?", c.Name)
				}
			case Unchanged:
				fmt.Fprintf(&b, "%s=unchanged", c.Name)
			case time.Time:
				fmt.Fprintf(&b, "%s=%s", c.Name, v.Format(time.RFC3339Nano))
			default:
				fmt.Fprintf(&b, "%s=%v", c.Name, v)
			}
		}
		b.WriteByte(')')
	}
	image("before", e.Before())
	image("after", e.After())
	if e.Type == SchemaChange {
		for _, t := range []*Table{e.OldTable, e.Table} {
			b.WriteString(" [")
			for _, c := range t.Columns {
				fmt.Fprintf(&b, " %s %s", c.Name, c.TypeName)
			}
			b.WriteString(" ]")
		}
	}
	if e.Message != nil {
		fmt.Fprintf(&b, " %s:%s %v", e.Message.Prefix, e.Message.Content, e.Message.Transactional)
	}
	if e.Cascade {
		b.WriteString(" cascade")
	}
	if e.RestartIdentity {
		b.WriteString(" restart")
	}
	return b.String()
}

// expect reads events, heartbeats left out, and compares them.
func (r *reader) expect(want ...string) {
	r.t.Helper()
	for i, w := range want {
		e, err := r.next()
		if err != nil {
			r.t.Fatalf("event %d: %v, want %s", i, err, w)
		}
		if got := describe(e); got != w {
			r.t.Fatalf("event %d:\ngot  %s\nwant %s", i, got, w)
		}
	}
}

func (r *reader) next() (*Event, error) {
	for {
		e, err := r.src.Recv(r.ctx)
		if err != nil || e.Type != Heartbeat {
			return e, err
		}
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, `CREATE TABLE a (id int PRIMARY KEY, v text, b bytea, at timestamptz, n numeric(10,2)); ALTER TABLE a ALTER v SET STORAGE EXTERNAL;
		CREATE TABLE f (x int, y float8, z date); ALTER TABLE f REPLICA IDENTITY FULL;
		INSERT INTO a VALUES (1, repeat('x', 5000), '\x00ff', '2024-01-02 03:04:05.678901+02', 1.50)`)
	cfg := eventsConfig(db, "public.a", "F")
	cfg.TransactionEvents = true
	r := startReader(t, cfg, nil)
	e, err := r.next()
	if err != nil || e.Type != Read || e.Snapshot != SnapshotRow|SnapshotFirst|SnapshotLast || e.LSN == 0 || e.After().Text(4) != "1.50" {
		t.Fatalf("%+v, %v", e, err)
	}
	if cp := r.src.Checkpoint(); cp.LSN == 0 || cp.Snapshot != nil || len(cp.Tables) != 2 || cp.SystemID == "" {
		t.Fatalf("checkpoint %+v", cp)
	}
	server.MustExec(t, db, `BEGIN; INSERT INTO f VALUES (1, 'NaN', 'infinity'); UPDATE a SET n = 2; UPDATE a SET id = 2; UPDATE f SET x = 7; INSERT INTO f VALUES (2, 0.5, '2024-02-29');
		SELECT pg_logical_emit_message(true, 'app', 'hello'); DELETE FROM a; DELETE FROM f WHERE x = 7; COMMIT`)
	server.MustExec(t, db, "SELECT pg_logical_emit_message(false, 'app', 'alone')")
	server.MustExec(t, db, "TRUNCATE a, f RESTART IDENTITY CASCADE")
	server.MustExec(t, db, "CREATE TABLE other (i int); INSERT INTO other VALUES (1)")
	r.expect("begin",
		"create f@1 after(x=1 y=NaN z=infinity)",
		"update a@1 after(id=1 v=unchanged b=[0 255] at=2024-01-02T01:04:05.678901Z n=2.00)",
		"update a@1 before(id=1 v=? b=? at=? n=?) after(id=2 v=unchanged b=[0 255] at=2024-01-02T01:04:05.678901Z n=2.00)",
		"update f@1 before(x=1 y=NaN z=infinity) after(x=7 y=NaN z=infinity)",
		"create f@1 after(x=2 y=0.5 z=2024-02-29T00:00:00Z)",
		"message app:hello true",
		"delete a@1 before(id=2 v=? b=? at=? n=?)",
		"delete f@1 before(x=7 y=NaN z=infinity)",
		"commit",
		"message app:alone false",
		"begin", "truncate a@1 cascade restart", "truncate f@1 cascade restart", "commit")
	m := r.src.Metrics()
	if m.EventsProcessed < 16 || m.EventsCreated != 2 || m.EventsUpdated != 3 || m.EventsDeleted != 2 || m.SnapshotRecords != 1 || m.LagBytes < 0 || m.LagMs < 0 {
		t.Fatalf("metrics %+v", m)
	}
	// A heartbeat moves the position past what is not captured.
	at := r.src.Checkpoint().LSN
	server.MustExec(t, db, "INSERT INTO other VALUES (2)")
	if e, err := r.src.Recv(r.ctx); err != nil || e.Type != Heartbeat || e.LSN <= at || r.src.Checkpoint().LSN != e.LSN {
		t.Fatalf("%+v, %v", e, err)
	}
	for _, name := range e.Unchanged() {
		t.Errorf("%s is unchanged", name)
	}
}

// A changed definition is an event of its own, and the rows behind it follow it.
func TestSchemaChangeEvents(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, "CREATE TABLE a (id int PRIMARY KEY, v text); CREATE DOMAIN small AS numeric(4,1)")
	r := startReader(t, eventsConfig(db, "a"), nil)
	step := func(sql string, want ...string) {
		t.Helper()
		server.MustExec(t, db, sql)
		r.expect(want...)
	}
	step("INSERT INTO a VALUES (1, 'x')", "create a@1 after(id=1 v=x)")
	step("BEGIN; INSERT INTO a VALUES (2, 'y'); ALTER TABLE a ADD c small DEFAULT 5; INSERT INTO a VALUES (3, 'z'); ALTER TABLE a DROP v; INSERT INTO a VALUES (4); COMMIT",
		"create a@1 after(id=2 v=y)",
		"schema change a@2 [ id integer v text ] [ id integer v text c small ]",
		"create a@2 after(id=3 v=z c=5.0)",
		"schema change a@3 [ id integer v text c small ] [ id integer c small ]",
		"create a@3 after(id=4 c=5.0)")
	cp := r.src.Checkpoint()
	step("ALTER TABLE a RENAME c TO d; UPDATE a SET d = 6 WHERE id = 1",
		"schema change a@4 [ id integer c small ] [ id integer d small ]", "update a@4 after(id=1 d=6.0)")
	step("ALTER TABLE a ALTER d TYPE text; INSERT INTO a VALUES (9, 't')",
		"schema change a@5 [ id integer d small ] [ id integer d text ]", "create a@5 after(id=9 d=t)")
	step("ALTER TABLE a RENAME TO b; DELETE FROM b WHERE id = 9", "schema change b@6 [ id integer d text ] [ id integer d text ]", "delete b@6 before(id=9 d=?)")
	// From an earlier checkpoint the same comes again, though the catalog is newer.
	r.src.Close()
	again := startReader(t, r.cfg, &cp)
	again.expect("schema change a@4 [ id integer c small ] [ id integer d small ]", "update a@4 after(id=1 d=6.0)",
		"schema change a@5 [ id integer d small ] [ id integer d text ]", "create a@5 after(id=9 d=t)",
		"schema change b@6 [ id integer d text ] [ id integer d text ]", "delete b@6 before(id=9 d=?)")
}

// The program is stopped at random, after random events, and goes on from
// its last checkpoint, through JSON: each event comes exactly once, in order.
func TestRestoreExactly(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, "CREATE TABLE a (id serial PRIMARY KEY, v int); CREATE TABLE b (v int); ALTER TABLE b REPLICA IDENTITY FULL; INSERT INTO a (v) SELECT generate_series(1, 300)")
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	cfg := eventsConfig(db, "a", "b")
	cfg.BufferSize, cfg.TransactionEvents = 40, true
	cfg.HeartbeatInterval = time.Hour
	r := startReader(t, cfg, nil)
	events := []string{}
	var order []*Event
	kill := func(in *reader) *reader {
		cp := *through(t, in.src.Checkpoint())
		if rnd.IntN(2) == 0 {
			if err := in.src.Confirm(cp); err != nil {
				t.Fatal(err)
			}
		}
		in.src.Close()
		if cp.Snapshot != nil {
			events, order = nil, nil // what comes from the snapshot is not compared
		}
		return startReader(t, cfg, &cp)
	}
	done, snapshotDone := false, false
	writer := make(chan error, 1)
	var reference *reader
	write := func() {
		for i := range 60 {
			sql := fmt.Sprintf("BEGIN; INSERT INTO a (v) SELECT generate_series(1, %d); INSERT INTO b VALUES (%d); UPDATE b SET v = v + 1; SELECT pg_logical_emit_message(true, 'p', '%d'); COMMIT", i%50+1, i, i)
			switch i % 10 {
			case 3:
				sql += "; TRUNCATE a, b"
			case 5:
				sql += fmt.Sprintf("; ALTER TABLE a ADD c%d int DEFAULT 1; INSERT INTO a (v) VALUES (-1)", i)
			case 7:
				sql += "; SELECT pg_logical_emit_message(false, 'p', 'alone')"
			}
			if err := server.Exec(context.Background(), db, sql); err != nil {
				writer <- err
				return
			}
		}
		writer <- server.Exec(context.Background(), db, "INSERT INTO b VALUES (-99)")
	}
	line := func(e *Event) string {
		return fmt.Sprintf("%s/%d %s %s", e.CommitLSN, e.Seq, e.LSN, describe(e))
	}
	isEnd := func(e *Event) bool { return strings.HasSuffix(describe(e), "after(v=-99)") }
	kills := 0
	for !done {
		limit := 120
		if !snapshotDone {
			limit = 900
		}
		for range rnd.IntN(limit) {
			e, err := r.next()
			if err != nil {
				t.Fatal(err)
			}
			events, order = append(events, line(e)), append(order, e)
			if done = isEnd(e); done {
				break
			}
			if e.Snapshot&SnapshotLast != 0 && !snapshotDone {
				// A second source reads the same without interruption, and is the judge.
				snapshotDone = true
				ref := eventsConfig(db, "a", "b")
				ref.SlotName, ref.TransactionEvents, ref.SnapshotMode = "ref_"+db, true, SnapshotNever
				reference = startReader(t, ref, nil)
				go write()
			}
		}
		if !done {
			kills++
			r = kill(r)
		}
	}
	if err := <-writer; err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(order, func(e *Event) bool { return e.Snapshot == 0 })
	for i := at; i < len(events); i++ {
		e, err := reference.next()
		if err != nil {
			t.Fatal(err)
		}
		if want := line(e); events[i] != want {
			t.Fatalf("after %d kills, event %d:\ngot  %s\nwant %s", kills, i, events[i], want)
		}
	}
	for i := 1; i < len(order); i++ {
		if order[i-1].Compare(order[i]) > 0 && order[i].Type != Commit {
			t.Fatalf("order: %s then %s", events[i-1], events[i])
		}
	}
	t.Logf("%d events, %d kills", len(events), kills)
}

func TestTransactions(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a SELECT generate_series(1, 5000)")
	cfg := eventsConfig(db, "a")
	cfg.BufferSize = 100
	r := startReader(t, cfg, nil)
	server.MustExec(t, db, "INSERT INTO a SELECT generate_series(-1000, 0); DELETE FROM a WHERE id < 0")
	server.MustExec(t, db, "INSERT INTO a VALUES (-1), (-2); SELECT pg_logical_emit_message(false, 'x', 'y')")
	server.MustExec(t, db, "UPDATE a SET id = -3 WHERE id = -2")
	var sizes []int
	for txn, err := range r.src.Transactions(r.ctx) {
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for e, err := range txn.Events() {
			if err != nil || e.CommitLSN != txn.CommitLSN || e.XID != txn.XID || txn.Snapshot != (e.Type == Read) {
				t.Fatalf("%+v, %v", e, err)
			}
			if n++; len(sizes) == 1 && n == 10 {
				break // the rest of it is left out
			}
		}
		if sizes = append(sizes, n); len(sizes) == 4 {
			break
		}
	}
	// The statements of one Exec without BEGIN are one transaction.
	if want := []int{5000, 10, 1, 2}; !slices.Equal(sizes, want) {
		t.Fatalf("sizes %v, want %v", sizes, want)
	}
	cp := r.src.Checkpoint()
	if cp.Step != 0 && cp.StepLSN == 0 {
		t.Fatalf("checkpoint %+v", cp)
	}
	r.expect("update a@1 before(id=-2) after(id=-3)")
}

func TestSnapshotModes(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1)")
	cfg := eventsConfig(db, "a")
	cfg.SnapshotMode = SnapshotInitialOnly
	r := startReader(t, cfg, nil)
	n := 0
	for e, err := range r.src.Events(r.ctx) {
		if err != nil || e.Type != Read {
			t.Fatalf("%+v, %v", e, err)
		}
		n++
	}
	if _, err := r.src.Recv(r.ctx); n != 1 || err != io.EOF {
		t.Fatalf("%d events, then %v", n, err)
	}
	conn := server.MustConnect(t, db)
	var left int
	for left = 1; left > 0; { // the walsender with the temporary slot may end a little later
		if err := conn.QueryRow(r.ctx, "SELECT (SELECT count(*) FROM pg_publication) + (SELECT count(*) FROM pg_replication_slots WHERE database = current_database())").Scan(&left); err != nil {
			t.Fatalf("%d left behind, %v", left, err)
		}
	}
	// always: a snapshot at each start.
	cfg.SnapshotMode = SnapshotAlways
	r = startReader(t, cfg, nil)
	r.expect("read a@1 after(id=1)")
	cp := r.src.Checkpoint()
	r.src.Close()
	r = startReader(t, cfg, &cp)
	r.expect("read a@1 after(id=1)")
	cp = r.src.Checkpoint()
	r.src.Close()
	// when_needed: only if the position is lost.
	cfg.SnapshotMode = SnapshotWhenNeeded
	r = startReader(t, cfg, &cp)
	server.MustExec(t, db, "INSERT INTO a VALUES (2)")
	r.expect("create a@1 after(id=2)")
	cp = r.src.Checkpoint()
	r.src.Close()
	if err := DropSlot(r.ctx, cfg, false); err != nil { // the walsender may not have noticed the end yet
		t.Fatal(err)
	}
	server.MustExec(t, db, "INSERT INTO a VALUES (3)")
	initial := cfg
	initial.SnapshotMode = SnapshotInitial
	src, err := NewSource(initial)
	if err != nil {
		t.Fatal(err)
	}
	if err := src.Restore(cp); err != nil {
		t.Fatal(err)
	}
	var lost *PositionLostError
	var definite *DefiniteError
	if err := src.Start(r.ctx); !errors.As(err, &lost) || !errors.As(err, &definite) || pgerr.CodeOf(err) != pgerr.UndefinedObject {
		t.Fatalf("start without the slot: %v", err)
	}
	r = startReader(t, cfg, &cp)
	r.expect("read a@1 after(id=1)", "read a@1 after(id=2)", "read a@1 after(id=3)")
	cp = r.src.Checkpoint()
	r.src.Close()
	server.MustExec(t, db, "DROP TABLE a; CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a VALUES (7, 'new')")
	server.MustExec(t, db, "ALTER PUBLICATION "+cfg.SlotName+" ADD TABLE a")
	r = startReader(t, cfg, &cp)
	r.expect("read a@1 after(id=7 v=new)")
}

// A temporary slot is gone with its source.
func TestTemporarySlot(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1)")
	cfg := eventsConfig(db, "a")
	cfg.TemporarySlot = true
	r := startReader(t, cfg, nil)
	r.expect("read a@1 after(id=1)")
	server.MustExec(t, db, "INSERT INTO a VALUES (2)")
	r.expect("create a@1 after(id=2)")
	r.src.Close()
	conn := server.MustConnect(t, db)
	deadline := time.Now().Add(10 * time.Second)
	for left := 1; left > 0; {
		if err := conn.QueryRow(r.ctx, "SELECT count(*) FROM pg_replication_slots WHERE slot_name = $1", cfg.SlotName).Scan(&left); err != nil || time.Now().After(deadline) {
			t.Fatalf("%d left behind, %v", left, err)
		}
	}
}

// A program that does not read holds the feed up, and memory bounded.
func TestBackpressure(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, "CREATE TABLE a (id serial PRIMARY KEY, v text)")
	cfg := eventsConfig(db, "a")
	cfg.BufferSize = 50
	r := startReader(t, cfg, nil)
	server.MustExec(t, db, "INSERT INTO a (v) SELECT repeat('x', 100) FROM generate_series(1, 5000)")
	server.MustExec(t, db, "DO $$ BEGIN FOR i IN 1..200 LOOP INSERT INTO a (v) VALUES ('y'); COMMIT; END LOOP; END $$")
	r.expect("create a@1 after(id=1 v=" + strings.Repeat("x", 100) + ")")
	time.Sleep(200 * time.Millisecond)
	if got := r.src.Metrics().Changes; got > 101 {
		t.Fatalf("%d changes taken from the server with a buffer of 50", got)
	}
	for i := 1; i < 5200; i++ {
		if e, err := r.next(); err != nil || e.Type != Create {
			t.Fatalf("event %d: %+v, %v", i, e, err)
		}
	}
	if m := r.src.Metrics(); m.EventsCreated != 5200 || m.Reconnects != 0 {
		t.Fatalf("metrics %+v", m)
	}
}

// A table that fails is told of; the others go on.
func TestTableErrorEvent(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)")
	r := startReader(t, eventsConfig(db, "a", "b"), nil)
	server.MustExec(t, db, "INSERT INTO a VALUES (1)")
	r.expect("create a@1 after(id=1)")
	cp := r.src.Checkpoint()
	r.src.Close()
	server.MustExec(t, db, "DROP TABLE b; INSERT INTO a VALUES (2)")
	r = startReader(t, r.cfg, &cp)
	var errs, events int
	for e, err := range r.src.Events(r.ctx) {
		var te *TableError
		if errors.As(err, &te) {
			if errs++; te.Table != "b" || pgerr.CodeOf(err) != pgerr.UndefinedTable {
				t.Fatal(err)
			}
		} else if err != nil {
			t.Fatal(err)
		} else if e.Type == Create {
			if events++; describe(e) != "create a@1 after(id=2)" {
				t.Fatal(describe(e))
			}
			break
		}
	}
	if errs != 1 || events != 1 {
		t.Fatalf("%d errors, %d events", errs, events)
	}
}

func TestSourceErrors(t *testing.T) {
	t.Parallel()
	var definite *DefiniteError
	var transient *TransientError
	if _, err := NewSource(Config{SlotName: "s", Tables: []string{"a.b.c"}}); !errors.As(err, &definite) || pgerr.CodeOf(err) != pgerr.InvalidName {
		t.Error(err)
	}
	if _, err := NewSource(Config{SlotName: "s", Tables: []string{"a", "public.A"}}); pgerr.CodeOf(err) != pgerr.DuplicateTable {
		t.Error(err)
	}
	src, err := NewSource(Config{SlotName: "s", Tables: []string{"a"}, ConnectionString: "postgres://u:geheim@127.0.0.1:1/x"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := src.Recv(context.Background()); !errors.As(err, &definite) {
		t.Error(err)
	}
	if err := src.Start(context.Background()); !errors.As(err, &transient) || strings.Contains(err.Error(), "geheim") {
		t.Error(err)
	}
	if err := src.Restore(Checkpoint{LSN: 1, Slot: "other"}); pgerr.CodeOf(err) != pgerr.InvalidParameterValue {
		t.Error(err)
	}
	if err := src.Confirm(Checkpoint{LSN: 5}); pgerr.CodeOf(err) != pgerr.InvalidParameterValue {
		t.Error(err)
	}
	for _, bad := range []string{`{"lsn":"x"}`, `{"lsn":"0/1","tables":[null]}`, `{"lsn":"0/1","tables":[{"Columns":[{"Name":"a"}],"Key":[1]}]}`, `[]`} {
		var cp Checkpoint
		if err := json.Unmarshal([]byte(bad), &cp); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}

func TestParseTable(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"users": `"public"."users"`, "Shop.Users": `"shop"."users"`, ` "Odd "".x" . "y" `: `"Odd "".x"."y"`, "a.b (id, \"V\")": `"a"."b" [id V]`, "ü_1$.x": `"ü_1$"."x"`,
	} {
		got, err := ParseTable(in)
		text := got.String()
		if len(got.Columns) > 0 {
			text += fmt.Sprint(" ", got.Columns)
		}
		if err != nil || text != want {
			t.Errorf("%s: %s, %v", in, text, err)
		}
	}
	for _, in := range []string{"", ".", "a.", "a b", "a(", "a()", "a(b", "a(b,)", `"a`, `""`, "1a", "a.b.c", "a;"} {
		if got, err := ParseTable(in); pgerr.CodeOf(err) != pgerr.InvalidName {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
}

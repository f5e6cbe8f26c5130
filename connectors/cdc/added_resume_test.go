package cdc

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/helios-sql/helios-sql/connectors"
)

// An adding is a source that gets table b, or others, by restores from
// checkpoints within their snapshot, and the program that keeps what it gives.
type adding struct {
	*reader
	k    *keeping
	cp   *Checkpoint
	cfg  Config
	read uint64 // rows of snapshots, by runs that have ended
}

const addedTable = `CREATE TABLE a (id int PRIMARY KEY, n int); INSERT INTO a SELECT i, 0 FROM generate_series(1, 20) i;
	CREATE TABLE b (id int PRIMARY KEY, n int, v text) WITH (fillfactor = 50); ALTER TABLE b ALTER v SET STORAGE EXTERNAL;
	INSERT INTO b SELECT i, 0, CASE WHEN i % 50 = 0 THEN repeat(md5(i::text), 100) ELSE repeat('x', 200) END FROM generate_series(1, 600) i`

// startAdding captures table a, stores a checkpoint, and has what it restores list others too.
func startAdding(t *testing.T, sql string, tables ...string) (ad *adding, db string) {
	t.Helper()
	db = server.CreateDatabase(t)
	server.MustExec(t, db, sql)
	cfg := eventsConfig(db, "a")
	cfg.SnapshotChunkBytes, cfg.SnapshotWorkers, cfg.BufferSize = 16<<10, 1, 40
	ad = &adding{k: newKeeping(t), cfg: cfg}
	ad.reader = startReader(t, cfg, nil)
	for last := false; !last; {
		last = ad.take().Snapshot&SnapshotLast != 0
	}
	ad.cfg.Tables = tables
	return ad, db
}

// take gives the next event that is no heartbeat; errors of one table are none of its.
func (ad *adding) take() *Event {
	ad.t.Helper()
	for {
		e, err := ad.src.Recv(ad.ctx)
		if err != nil {
			ad.t.Fatalf("%v; at %+v", err, ad.src.Checkpoint())
		}
		if e.Type != Heartbeat {
			ad.k.take(e)
			return e
		}
	}
}

// restore stores a checkpoint, confirms it, and begins again from there.
func (ad *adding) restore() {
	ad.t.Helper()
	ad.cp = through(ad.t, ad.src.Checkpoint())
	if err := ad.src.Confirm(*ad.cp); err != nil {
		ad.t.Fatal(err)
	}
	ad.again(ad.cp)
}

func (ad *adding) again(cp *Checkpoint) {
	ad.t.Helper()
	ad.read += ad.src.Metrics().SnapshotRecords
	ad.src.Close()
	ad.reader = startReader(ad.t, ad.cfg, cp)
}

// done is how many ranges of a table are done by the checkpoint, of how many; −1: it is not in the making.
func (ad *adding) done(table string) (done, of int) {
	added := ad.src.Checkpoint().Added
	if added == nil {
		return -1, 0
	}
	for _, tp := range added.Snapshot.Tables {
		if tp.Table == table {
			return tp.Done, tp.Chunks
		}
	}
	return -1, 0
}

// until takes events until so many ranges of a table are done.
func (ad *adding) until(table string, done int) {
	ad.t.Helper()
	for n, _ := ad.done(table); n < done; n, _ = ad.done(table) {
		ad.take()
	}
}

// end takes everything that the server has, and compares.
func (ad *adding) end(db string, tables ...string) {
	ad.t.Helper()
	lsn, err := connectors.ParseLSN(serverValue(ad.t, db, "SELECT pg_current_wal_lsn()::text"))
	if err != nil {
		ad.t.Fatal(err)
	}
	for at := ad.src.Checkpoint(); at.LSN < lsn || at.Added != nil || len(at.Tables) < len(ad.cfg.Tables); at = ad.src.Checkpoint() {
		e, err := ad.src.Recv(ad.ctx)
		var table *TableError
		if errors.As(err, &table) {
			continue
		}
		if err != nil {
			ad.t.Fatalf("%v; at %+v, to %s", err, at, lsn)
		}
		ad.k.take(e)
	}
	ad.k.same(db, tables...)
}

// The snapshot of an added table is interrupted where each of its ranges is
// done, by a restore or by lost connections: nothing that was done, and not written to
// since, is read again, and the table begins once.
func TestAddedGoesOn(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"restore", "connection"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			ad, db := startAdding(t, addedTable, "b", "a")
			ad.restore()
			has, written := map[int64]bool{}, map[int]bool{}
			edges, last, again := 0, 0, 0
			var pos connectors.LSN
			for end := false; !end; {
				e := ad.take()
				if e.CommitLSN < pos {
					t.Fatalf("%s at %s after %s", describe(e), e.CommitLSN, pos)
				}
				pos = e.CommitLSN
				if e.Type == Read {
					id := e.After().Value(0).(int64)
					if has[id] && !written[int(id)] {
						again++
					}
					has[id] = true
				}
				end = e.Snapshot&SnapshotLast != 0
				done, of := ad.done("b")
				if done <= last || end {
					continue
				}
				if m := ad.src.Metrics(); m.SnapshotChunks != uint64(of) || m.SnapshotChunksDone < uint64(done) {
					t.Fatalf("%d of %d chunks, metrics %+v", done, of, m)
				}
				last = done
				edges++
				i := edges * 7
				for _, id := range []int{i, i + 1, i + 100, 300 + i, 2000 + edges, 5000 + edges, 3000 + edges} {
					written[id] = true
				}
				if how == "restore" {
					ad.cp = through(t, ad.src.Checkpoint())
					ad.src.Close()
				}
				server.MustExec(t, db, fmt.Sprintf(`UPDATE b SET n = n + 1 WHERE id = %d; BEGIN; DELETE FROM b WHERE id = %d; UPDATE a SET n = n + 1 WHERE id = 3; UPDATE b SET id = %d WHERE id = %d; COMMIT;
					INSERT INTO b VALUES (%d, 1, 'new'); UPDATE b SET id = %d WHERE id = %d; INSERT INTO a VALUES (%d, 0)`, i, i+1, 2000+edges, i+100, 3000+edges, 5000+edges, 300+i, 1000+edges))
				if how == "restore" {
					ad.again(ad.cp)
				} else {
					server.MustExec(t, db, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'helios%' AND pid <> pg_backend_pid()")
				}
			}
			server.MustExec(t, db, "UPDATE b SET n = -1 WHERE id < 100; DELETE FROM a WHERE id > 10")
			ad.end(db, "a", "b")
			// Where a connection was lost, a range was on the way.
			if most := map[string]int{"connection": edges * 80}[how]; again > most {
				t.Fatalf("%d rows that were done, and not written to, were read again", again)
			}
			if cp := ad.src.Checkpoint(); ad.k.voided["b"] != 1 || edges < 15 || cp.Added != nil || tableNames(cp) != "b a" && tableNames(cp) != "a b" {
				t.Fatalf("began %d times, %d edges, %+v", ad.k.voided["b"], edges, cp)
			}
		})
	}
}

// The source is interrupted again and again in what the others have missed,
// within transactions too: what is touched of the added table is forgotten in its place.
func TestAddedForgets(t *testing.T) {
	t.Parallel()
	ad, db := startAdding(t, addedTable, "a", "b")
	ad.restore()
	ad.until("b", 12)
	ad.cp = through(t, ad.src.Checkpoint())
	ad.src.Close()
	var sql []string
	for i := 1; i <= 12; i++ {
		sql = append(sql, fmt.Sprintf("BEGIN; UPDATE a SET n = %d WHERE id = %d; DELETE FROM b WHERE id = %d; UPDATE b SET id = id + 10000 WHERE id = %d; COMMIT", i, i, i, 100+i),
			fmt.Sprintf("DELETE FROM b WHERE id = %d; INSERT INTO b VALUES (%d, 7, 'again')", 200+i, 10200+i))
	}
	sql = append(sql, "BEGIN")
	for i := 1; i <= 12; i++ {
		sql = append(sql, fmt.Sprintf("INSERT INTO a VALUES (%d, 1); DELETE FROM b WHERE id = %d; UPDATE b SET id = %d WHERE id = %d; UPDATE b SET n = 5 WHERE id = %d", 100+i, 50+i, 20000+i, 250+i, 350+i))
	}
	server.MustExec(t, db, strings.Join(append(sql, "COMMIT"), "; "))
	ad.cfg.MaxStepRows = 5
	ad.again(ad.cp)
	changes, within, forgotten := 0, 0, map[string]bool{}
	for i := 1; ; i++ {
		e := ad.take()
		if e.Table != nil && e.Table.Name == "b" {
			if e.Snapshot != SnapshotRow || e.Type != Delete || e.XID == 0 {
				break // at the snapshot's position
			}
			forgotten[describe(e)] = true
		} else if changes++; e.Snapshot != 0 {
			t.Fatalf("%s, mark %d", describe(e), e.Snapshot)
		}
		if i%6 == 0 {
			if ad.restore(); ad.cp.Step > 0 {
				within++
			}
			if p := ad.cp.Added; p == nil || p.Snapshot.LSN == 0 || p.Snapshot.Newest < p.Snapshot.LSN || p.Snapshot.Newest > ad.cp.LSN {
				t.Fatalf("%+v", ad.cp)
			}
		}
	}
	if len(forgotten) != 12*(1+2+1+1)+12*(1+2+1) || changes != 24 || within < 5 {
		t.Fatalf("%d forgotten, %d changes of a, %d restores within a transaction", len(forgotten), changes, within)
	}
	if ad.end(db, "a", "b"); ad.k.voided["b"] != 1 {
		t.Fatalf("b began %d times", ad.k.voided["b"])
	}
}

// By transactions, what is touched of the added table belongs to the
// transaction that touches it, and the snapshot comes as one behind them.
func TestAddedTransactions(t *testing.T) {
	t.Parallel()
	ad, db := startAdding(t, addedTable, "a", "b")
	ad.restore()
	ad.until("b", 5)
	ad.cp = through(t, ad.src.Checkpoint())
	ad.src.Close()
	server.MustExec(t, db, "BEGIN; INSERT INTO a VALUES (50, 1); DELETE FROM b WHERE id = 1; INSERT INTO a VALUES (51, 1); COMMIT; UPDATE b SET id = 7000 WHERE id = 2")
	ad.cfg.TransactionEvents = true
	ad.again(ad.cp)
	var got []string
	for tx, err := range ad.src.Transactions(ad.ctx) {
		if err != nil {
			t.Fatal(err)
		}
		line := fmt.Sprintf("%v:", tx.Snapshot)
		for e, err := range tx.Events() {
			if err != nil {
				t.Fatal(err)
			}
			if ad.k.take(e); len(line) < 100 && e.Type != Read {
				line += " " + e.Type.String() + " " + e.Table.Name
			}
		}
		if got = append(got, line); tx.Snapshot {
			break
		}
	}
	if text := strings.Join(got, "; "); text != "false: create a delete b create a; false: delete b delete b; true:" {
		t.Fatal(text)
	}
	ad.end(db, "a", "b")
}

// What happens to an added table while its snapshot is interrupted, and
// whether it begins anew then; the tables beside it go on.
func TestAddedChanged(t *testing.T) {
	t.Parallel()
	const c = "; CREATE TABLE c (id int PRIMARY KEY, v text); INSERT INTO c SELECT i, repeat('c', 200) FROM generate_series(1, 200) i"
	for _, s := range []struct {
		name, sql string
		anew      bool
	}{
		{"nothing", "SELECT 1", false},
		{"truncated", "TRUNCATE b; INSERT INTO b VALUES (1, 1, 'other')", true},
		{"rewritten", "DELETE FROM b WHERE id % 3 = 0; VACUUM FULL b", true},
		{"vacuumed", "DELETE FROM b WHERE id % 3 = 0; VACUUM FREEZE b; INSERT INTO b SELECT i, 9, 'filled' FROM generate_series(1000, 1200) i", false},
		{"redefined", "ALTER TABLE b DROP n; UPDATE b SET v = 'r' WHERE id = 4", true},
		{"with a column for a while", "DELETE FROM b WHERE id = 1; ALTER TABLE b ADD w int DEFAULT 4; DELETE FROM b WHERE id = 2; ALTER TABLE b DROP w; DELETE FROM b WHERE id = 3", true},
		{"with a column that was not seen to go", "ALTER TABLE b ADD w int; DELETE FROM b WHERE id = 1; ALTER TABLE b DROP w", true},
		{"with another key for a while", "UPDATE b SET n = id; ALTER TABLE b DROP CONSTRAINT b_pkey; ALTER TABLE b ADD PRIMARY KEY (n); UPDATE b SET id = id + 5000 WHERE id > 200; ALTER TABLE b DROP CONSTRAINT b_pkey; ALTER TABLE b ALTER n DROP NOT NULL; ALTER TABLE b ADD PRIMARY KEY (id)", true},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			ad, db := startAdding(t, addedTable+c, "a", "b", "c")
			ad.restore()
			ad.until("b", 10)
			ad.cp = through(t, ad.src.Checkpoint())
			ad.src.Close()
			execEach(t, db, s.sql+"; INSERT INTO a VALUES (60, 1); UPDATE c SET v = 'after' WHERE id = 5; INSERT INTO a VALUES (61, 1); INSERT INTO a VALUES (62, 1); INSERT INTO a VALUES (63, 1)")
			ad.again(ad.cp)
			if s.name != "with a column that was not seen to go" {
				for n := 0; n < 2; { // what the others have missed is handed out twice
					if e := ad.take(); e.Type == Create {
						n++
					}
				}
				ad.restore()
			}
			ad.end(db, "a", "b", "c")
			if began := ad.k.voided["b"]; (began == 2) != s.anew || began > 2 || ad.k.voided["c"] != 1 {
				t.Fatalf("began %v", ad.k.voided)
			}
		})
	}
}

// A table that is found redefined begins anew though it is as it was when the
// next attempt looks: what was touched meanwhile was not handed out.
func TestAddedRedefinedBehind(t *testing.T) {
	t.Parallel()
	ad, db := startAdding(t, addedTable, "a", "b")
	ad.restore()
	ad.until("b", 10)
	ad.cp = through(t, ad.src.Checkpoint())
	ad.src.Close()
	execEach(t, db, "ALTER TABLE b ADD w int; DELETE FROM b WHERE id = 2; INSERT INTO a VALUES (61, 1)")
	ad.again(ad.cp)
	if e := ad.take(); describe(e) != "create a@1 after(id=61 n=1)" {
		t.Fatal(describe(e))
	}
	ad.cp = through(t, ad.src.Checkpoint())
	ad.src.Close()
	execEach(t, db, "ALTER TABLE b DROP w; INSERT INTO a VALUES (62, 1)")
	ad.again(ad.cp)
	ad.end(db, "a", "b")
}

// A table is added while another one is being added: this one goes on. One
// that is left out of a restore begins anew when it comes back.
func TestAddedToAdded(t *testing.T) {
	t.Parallel()
	ad, db := startAdding(t, addedTable+`; CREATE TABLE c (id int PRIMARY KEY, v text); INSERT INTO c SELECT i, repeat('c', 200) FROM generate_series(1, 400) i;
		CREATE TABLE d (id int PRIMARY KEY); INSERT INTO d VALUES (1)`, "a", "b")
	step := func(tables ...string) {
		ad.cp = through(t, ad.src.Checkpoint())
		ad.src.Close()
		server.MustExec(t, db, "UPDATE b SET n = n + 1 WHERE id % 40 = 0; DELETE FROM b WHERE id = (SELECT min(id) FROM b); UPDATE c SET id = id + 1000 WHERE id = (SELECT min(id) FROM c); DELETE FROM c WHERE id = (SELECT min(id) FROM c); INSERT INTO d SELECT max(id) + 1 FROM d; INSERT INTO a SELECT max(id) + 1, 2 FROM a")
		ad.cfg.Tables = tables
		ad.again(ad.cp)
	}
	step("a", "b")
	ad.until("b", 8)
	step("c", "a", "b")
	ad.until("c", 3)
	if cp := ad.src.Checkpoint(); tableNames(cp) != "a" || len(cp.Added.Tables) != 2 || cp.Added.Tables[0].Name != "b" {
		t.Fatalf("%+v", cp)
	}
	step("d", "b", "a", "c")
	ad.until("d", 0)
	step("a", "c", "d") // without b
	ad.until("c", 5)
	if ad.k.voided["b"] != 1 || ad.k.voided["c"] != 1 {
		t.Fatalf("began %v", ad.k.voided)
	}
	step("a", "b", "c", "d")
	ad.end(db, "a", "b", "c", "d")
	if ad.k.voided["b"] != 2 || ad.k.voided["c"] != 1 || ad.k.voided["d"] > 2 {
		t.Fatalf("began %v", ad.k.voided)
	}
	// With all tables of the server, those of the checkpoint stay, and those that are being added.
	server.MustExec(t, db, "CREATE TABLE e (id int PRIMARY KEY, v text); INSERT INTO e SELECT * FROM c; CREATE TABLE f (id int PRIMARY KEY)")
	step("a", "b", "c", "d", "e")
	ad.until("e", 3)
	ad.cp = through(t, ad.src.Checkpoint())
	ad.cfg.Tables, ad.cfg.AllTables = nil, true
	ad.again(ad.cp)
	if ad.end(db, "a", "b", "c", "d", "e"); ad.k.voided["e"] != 1 || tableNames(ad.src.Checkpoint()) != "a b c d e" {
		t.Fatalf("%v, tables %s", ad.k.voided, tableNames(ad.src.Checkpoint()))
	}
}

// Of an added table without a key the ranges that have not changed stay, if
// the program keeps them; else it begins anew.
func TestAddedKeyless(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{true, false} {
		t.Run(fmt.Sprint(keep), func(t *testing.T) {
			t.Parallel()
			const some = "CREATE TABLE a (id int PRIMARY KEY, n int); INSERT INTO a VALUES (1, 1); CREATE TABLE f (x int, y text); ALTER TABLE f REPLICA IDENTITY FULL; INSERT INTO f SELECT i % 40, repeat('z', 200) FROM generate_series(1, 1500) i"
			ad, db := startAdding(t, some, "a", "f")
			ad.cfg.KeepChunks = keep
			ad.restore()
			for n := 5; n <= 15; n += 5 {
				ad.until("f", n)
				if n == 5 {
					ad.cp = through(t, ad.src.Checkpoint())
					ad.src.Close()
				}
				// One in what is done, one behind it, and one row that is where it was.
				execEach(t, db, fmt.Sprintf("UPDATE f SET x = x + 1 WHERE ctid = '(%d,1)'; DELETE FROM f WHERE ctid = '(40,%d)'; INSERT INTO a VALUES (%d, 1); BEGIN; DELETE FROM f; ROLLBACK", n/5, n, 100+n))
				if n == 5 {
					ad.again(ad.cp)
				} else {
					ad.restore()
				}
			}
			server.MustExec(t, db, "INSERT INTO f VALUES (77, 'last')")
			ad.end(db, "a", "f")
			ad.read += ad.src.Metrics().SnapshotRecords
			if began := ad.k.voided["f"]; keep && began != 1 || !keep && began != 4 {
				t.Fatalf("began %d times", began)
			}
		})
	}
}

// An added table that is dropped within its snapshot stops by itself, at the
// next attempt and the next restore too; so does one that is taken out of the publication.
func TestAddedDropped(t *testing.T) {
	t.Parallel()
	for _, gone := range []string{"DROP TABLE b", "ALTER PUBLICATION %s DROP TABLE b"} {
		t.Run(gone[:5], func(t *testing.T) {
			t.Parallel()
			ad, db := startAdding(t, addedTable+"; CREATE TABLE c (id int PRIMARY KEY, v text); INSERT INTO c SELECT i, repeat('c', 200) FROM generate_series(1, 400) i", "a", "b", "c")
			ad.restore()
			ad.until("b", 5)
			ad.cp = through(t, ad.src.Checkpoint())
			ad.src.Close()
			if strings.Contains(gone, "%") {
				gone = fmt.Sprintf(gone, ad.cfg.SlotName)
			}
			server.MustExec(t, db, gone+"; DELETE FROM c WHERE id = 7; INSERT INTO a VALUES (90, 1)")
			for i := range 2 {
				ad.again(ad.cp)
				failed := 0
				for n, _ := ad.done("c"); n < 3*(i+1); n, _ = ad.done("c") {
					e, err := ad.src.Recv(ad.ctx)
					var table *TableError
					switch {
					case errors.As(err, &table) && table.Table == "b":
						failed++
					case err != nil:
						t.Fatal(err)
					default:
						ad.k.take(e)
					}
				}
				if failed != 1 {
					t.Fatalf("%d errors of the table that is gone", failed)
				}
				server.MustExec(t, db, "UPDATE c SET v = 'x' WHERE id = 9")
				ad.cp = through(t, ad.src.Checkpoint())
			}
			server.MustExec(t, db, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'helios%' AND pid <> pg_backend_pid()")
			ad.end(db, "a", "c")
		})
	}
}

// Where the position is lost, or an added table was created again, a source
// that may takes a new snapshot of all tables.
func TestAddedLost(t *testing.T) {
	t.Parallel()
	for _, lost := range []string{"slot", "table"} {
		t.Run(lost, func(t *testing.T) {
			t.Parallel()
			ad, db := startAdding(t, addedTable, "b", "a")
			ad.cfg.SnapshotMode = SnapshotWhenNeeded
			ad.restore()
			ad.until("b", 5)
			ad.cp = through(t, ad.src.Checkpoint())
			ad.src.Close()
			server.MustExec(t, db, "DELETE FROM b WHERE id = 1; DELETE FROM a WHERE id = 1")
			if lost == "table" {
				execEach(t, db, "DROP TABLE b; CREATE TABLE b (id int PRIMARY KEY); INSERT INTO b VALUES (1); ALTER PUBLICATION "+ad.cfg.SlotName+" ADD TABLE b")
			} else if err := DropSlot(t.Context(), ad.cfg, false); err != nil {
				t.Fatal(err)
			}
			ad.again(ad.cp)
			for first := false; !first; {
				first = ad.take().Snapshot&SnapshotFirst != 0
			}
			if cp := ad.src.Checkpoint(); cp.Added != nil || cp.Snapshot == nil {
				t.Fatalf("%+v", cp)
			}
			ad.end(db, "a", "b")
		})
	}
}

// The last Restore counts: a zero checkpoint makes the source begin anew by the
// definitions that there are then.
func TestRestoreTwice(t *testing.T) {
	t.Parallel()
	ad, db := startAdding(t, addedTable, "b", "a")
	ad.restore()
	ad.until("b", 5)
	ad.src.Close()
	server.MustExec(t, db, "ALTER TABLE a ADD w int DEFAULT 5; ALTER TABLE b DROP v")
	src, err := NewSource(ad.cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, cp := range []Checkpoint{*through(t, ad.src.Checkpoint()), {}} {
		if err := src.Restore(cp); err != nil {
			t.Fatal(err)
		}
	}
	if cp := src.Checkpoint(); !cp.IsZero() || cp.Added != nil || len(cp.Tables) > 0 {
		t.Fatalf("%+v", cp)
	}
	for {
		err := src.Start(ad.ctx)
		var transient *TransientError
		if err == nil {
			break
		} else if !errors.As(err, &transient) {
			t.Fatal(err)
		}
	}
	ad.src = src
	defer src.Close()
	if e := ad.take(); e.Snapshot&SnapshotFirst == 0 {
		t.Fatal(describe(e))
	}
	ad.end(db, "a", "b")
}

// A checkpoint whose progress of added tables is not what a source wrote is an
// error, or they begin anew, and all is right at the end.
func TestAddedHostile(t *testing.T) {
	t.Parallel()
	ad, db := startAdding(t, addedTable, "a", "b")
	ad.restore()
	ad.until("b", 10)
	good, err := json.Marshal(ad.src.Checkpoint())
	if err != nil {
		t.Fatal(err)
	}
	ad.src.Close()
	server.MustExec(t, db, "DELETE FROM b WHERE id IN (1, 100, 500)")
	stored := ad.k.clone()
	const refused, anew, goesOn = 0, 1, 2
	for _, c := range []struct {
		name   string
		change func(added map[string]any)
		want   int
	}{
		{"as it was", func(map[string]any) {}, goesOn},
		{"no position", func(m map[string]any) { delete(m["Snapshot"].(map[string]any), "LSN") }, anew},
		{"a later position", func(m map[string]any) { m["Snapshot"].(map[string]any)["LSN"] = json.Number("18446744073709551615") }, anew},
		{"no tables", func(m map[string]any) { m["Tables"] = nil }, anew},
		{"a null table", func(m map[string]any) { m["Tables"] = []any{nil} }, refused},
		{"no columns", func(m map[string]any) { m["Tables"].([]any)[0].(map[string]any)["Columns"] = nil }, refused},
		{"a table twice", func(m map[string]any) { m["Tables"] = append(m["Tables"].([]any), m["Tables"].([]any)[0]) }, refused},
		{"a key beyond the columns", func(m map[string]any) { m["Tables"].([]any)[0].(map[string]any)["Key"] = []int{9} }, refused},
		{"no progress", func(m map[string]any) { m["Snapshot"].(map[string]any)["Tables"] = nil }, anew},
		{"no xmin", func(m map[string]any) { delete(m["Snapshot"].(map[string]any), "XMin") }, goesOn},
		{"another definition", func(m map[string]any) { progressOf(m)["Definition"] = "0123456789abcdef" }, anew},
		{"other columns", func(m map[string]any) {
			m["Tables"].([]any)[0].(map[string]any)["Columns"].([]any)[1].(map[string]any)["Name"] = "m"
		}, goesOn},
		{"too many ranges", func(m map[string]any) { heapOf(m)["Chunks"] = 1 << 40 }, anew},
		{"ranges beyond the end", func(m map[string]any) { heapOf(m)["Done"] = [][2]int{{-5, -1}, {1 << 40, 1 << 41}} }, goesOn},
		{"another file", func(m map[string]any) { heapOf(m)["Filenode"] = 1 }, anew},
		{"not even an object", nil, refused},
	} {
		var cp map[string]any
		if err := json.Unmarshal(good, &cp); err != nil {
			t.Fatal(err)
		}
		if cp["added"] == nil {
			t.Fatalf("%s", good)
		}
		if c.change == nil {
			cp["added"] = 7
		} else {
			c.change(cp["added"].(map[string]any))
		}
		data, err := json.Marshal(cp)
		if err != nil {
			t.Fatal(err)
		}
		back := new(Checkpoint)
		if err := json.Unmarshal(data, back); err != nil {
			if c.want != refused {
				t.Fatalf("%s: %v", c.name, err)
			}
			continue
		}
		ad.k = stored.clone()
		ad.again(back)
		ad.end(db, "a", "b")
		if began := ad.k.voided["b"]; began != 1+goesOn-c.want {
			t.Fatalf("%s: began %d times", c.name, began)
		}
	}
}

// A table that fails while the others' changes are handed out is recorded as
// one that begins anew: what is touched of it from there on is not handed out.
func TestAddedFails(t *testing.T) {
	h := newHandover(0)
	r := &run{feed: &feed{}, sink: h, adding: 1, begun: 1}
	a, b := &tableState{Table: connectors.Table{ID: 0, OID: 10, Key: []int{0}}}, &tableState{Table: connectors.Table{ID: 1, OID: 20, Key: []int{0}}}
	r.tables, r.forgotten = []*tableState{a, b}, []*tableState{b}
	plan := &snapshotPlan{lsn: 7, rows: make([]uint64, 2), horizon: make([]uint64, 2), torn: make([]error, 2), defs: []string{"a", "b"}}
	plan.heaps = []*heap{{table: b, oid: 20, filenode: 21, ranged: true, pages: 4}}
	plan.heaps[0].chunks(3)
	plan.heaps[0].done[1] = true
	plan.number()
	f := forgetting{run: r, plan: plan, anew: make([]bool, 2), first: 1, isKey: make([][]bool, 2)}
	if err := f.take(t.Context(), &txnBuf{}); err != nil || h.record != nil {
		t.Fatalf("%v, %s", err, h.record)
	}
	b.failed = errors.New("a value cannot be read")
	for range 2 {
		if err := f.take(t.Context(), &txnBuf{}); err != nil {
			t.Fatal(err)
		}
	}
	p := new(SnapshotProgress)
	if err := json.Unmarshal(h.record, p); err != nil || len(p.Tables) != 1 || p.Tables[0].OID != 20 || p.Tables[0].Done != 0 || p.Tables[0].Definition != "" || len(h.queue) != 1 || plan.defs[1] != "b" {
		t.Fatalf("%v, %+v, %d in the queue", err, p, len(h.queue))
	}
}

func progressOf(m map[string]any) map[string]any {
	return m["Snapshot"].(map[string]any)["Tables"].([]any)[0].(map[string]any)
}

func heapOf(m map[string]any) map[string]any {
	return progressOf(m)["Heaps"].([]any)[0].(map[string]any)
}

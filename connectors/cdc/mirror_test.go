package cdc

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/internal/pgtest"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/helios-sql/helios-sql/sql/zset"
	"github.com/jackc/pglogrepl"
)

var server *pgtest.Server // shared by the tests that do not stop it

func TestMain(m *testing.M) {
	s, err := pgtest.Launch(pgtest.Options{Settings: map[string]string{"max_replication_slots": "40", "max_wal_senders": "40"}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	server, leavesEvery = s, 100*time.Millisecond
	code := m.Run()
	s.Close()
	os.Exit(code)
}

// A mirror is a sink that keeps the tables as the engine would, and checks
// what it is told on the way.
type mirror struct {
	mu        sync.Mutex
	src       *feed
	tables    []connectors.Table
	rows      []map[string]int // by table: row to count
	at        connectors.Position
	started   bool // a snapshot is in
	chunks    int
	txns      []txnNote
	errs      map[int]error
	stale     map[int]error
	statuses  []string
	lastErr   error
	failures  []error // all of them
	noConfirm bool
	onCommit  func(*connectors.Txn) error // under the lock
	config    Config                      // as the source keeps it
}

// A txnNote is what a test wants to know of a transaction.
type txnNote struct {
	pos  connectors.Position
	last bool
	rows int
	xid  uint32
}

func (m *mirror) Tables(_ context.Context, tables []connectors.Table) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tables = tables
	for len(m.rows) < len(tables) {
		m.rows = append(m.rows, map[string]int{})
	}
	return nil
}

func (m *mirror) SnapshotBegin(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.rows {
		m.rows[i] = map[string]int{}
	}
	return nil
}

func (m *mirror) SnapshotChunk(_ context.Context, c connectors.SnapshotChunk) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.chunks++
	for i := range c.Rows.Len() {
		m.rows[c.Table][string(c.Rows.Row(i))] += int(c.Rows.Weight(i))
	}
	return nil
}

func (m *mirror) SnapshotEnd(_ context.Context, at connectors.Position) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at, m.started = at, true
	return nil
}

func (m *mirror) Commit(_ context.Context, t *connectors.Txn) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	defer func() {
		if t.Release != nil {
			t.Release()
		}
	}()
	if m.onCommit != nil {
		if err := m.onCommit(t); err != nil {
			return err
		}
	}
	if t.Last && (t.Position.LSN <= m.at.LSN || t.Position.Step != 0) || !t.Last && (t.Position.LSN != m.at.LSN || t.Position.Step <= m.at.Step) {
		return fmt.Errorf("position %+v (last %v) after %+v", t.Position, t.Last, m.at)
	}
	for _, c := range t.Changes {
		if err := m.apply(c.Table, c.Changes); err != nil {
			return err
		}
	}
	m.at = t.Position
	m.txns = append(m.txns, txnNote{t.Position, t.Last, t.Rows, t.XID})
	if m.src != nil && !m.noConfirm {
		m.src.Confirm(t.Position)
	}
	return nil
}

func (m *mirror) apply(table int, c *zset.Changes) error {
	rows, tab := m.rows[table], m.tables[table]
	for i := range c.Len() {
		op, kind := c.Op(i)
		old, row := "", string(c.New(i))
		for _, r := range []types.Row{c.Old(i), c.New(i)} {
			if len(r) > 0 && !r.Check(len(tab.Columns)) {
				return fmt.Errorf("table %s: malformed row %x", tab.Name, r)
			}
		}
		if op == zset.Truncate {
			clear(rows)
			continue
		}
		if op == zset.Update || op == zset.Delete {
			from := c.Old(i)
			if kind == zset.OldNone {
				from = c.New(i)
			}
			if old = string(from); len(tab.Key) > 0 {
				if old = m.find(table, from); old == "" {
					return fmt.Errorf("table %s: no row for key of %x", tab.Name, from)
				}
			}
			if rows[old]--; rows[old] == 0 {
				delete(rows, old)
			} else if rows[old] < 0 {
				return fmt.Errorf("table %s: row %x is not there", tab.Name, old)
			}
		}
		if op == zset.Insert || op == zset.Update {
			rows[fill(types.Row(row), types.Row(old), len(tab.Columns))]++
		}
	}
	return nil
}

// find looks a row up by key, slowly.
func (m *mirror) find(table int, like types.Row) string {
	key := func(r types.Row) string {
		var b []byte
		for _, k := range m.tables[table].Key {
			v, _ := r.Value(k)
			b = types.AppendValue(b, v)
		}
		return string(b)
	}
	want := key(like)
	for r := range m.rows[table] {
		if key(types.Row(r)) == want {
			return r
		}
	}
	return ""
}

// fill takes unchanged values from the old row.
func fill(row, old types.Row, n int) string {
	var b []byte
	for i, s := range row.Spans(n, nil) {
		switch {
		case s.Len >= 0:
			b = types.AppendValue(b, row[s.Off:s.Off+s.Len])
		case s.Len == types.NullLen:
			b = types.AppendNull(b)
		default:
			if v, ok := old.Value(i); ok {
				b = types.AppendValue(b, v)
			} else {
				b = types.AppendNull(b)
			}
		}
	}
	return string(b)
}

func (m *mirror) Progress(_ context.Context, at connectors.LSN) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if at < m.at.LSN {
		return fmt.Errorf("progress to %s after %s", at, m.at.LSN)
	}
	m.at.LSN = at
	if m.src != nil && !m.noConfirm {
		m.src.Confirm(m.at)
	}
	return nil
}

func (m *mirror) Status(state string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.statuses, m.lastErr = append(m.statuses, state), err
	if err != nil {
		m.failures = append(m.failures, err)
	}
}

func (m *mirror) TableError(table int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.errs == nil {
		m.errs = map[int]error{}
	}
	m.errs[table] = err
}

func (m *mirror) TableStale(_ context.Context, table int, err error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stale == nil {
		m.stale = map[int]error{}
	}
	m.stale[table] = err
	return nil
}

func (m *mirror) KeepConfig(_ context.Context, f func([]byte) ([]byte, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, err := json.Marshal(m.config)
	if err == nil {
		b, err = f(b)
	}
	if err == nil {
		m.config = Config{}
		err = json.Unmarshal(b, &m.config)
	}
	return err
}

// text gives a table's rows as PostgreSQL would print them, sorted.
func (m *mirror) text(table int) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	cols := m.tables[table].Columns
	var f types.Format
	for r, n := range m.rows[table] {
		row := types.Row(r)
		var b strings.Builder
		for i, c := range cols {
			if v, ok := row.Value(i); ok {
				fmt.Fprintf(&b, "%s|", f.AppendText(nil, c.Type.OID, v))
			} else {
				b.WriteString("NULL|")
			}
		}
		for range n {
			out = append(out, b.String())
		}
	}
	slices.Sort(out)
	return out
}

// A capture is a source that runs into a mirror.
type capture struct {
	*mirror
	t      testing.TB
	srv    *pgtest.Server
	db     string
	cfg    Config
	cancel context.CancelFunc
	done   chan error
}

func testConfig(srv *pgtest.Server, db string, tables ...string) Config {
	cfg := Config{ConnectionString: srv.DSN(db), SlotName: "slot_" + db, PublicationName: "pub_" + db,
		PollInterval: 5 * time.Millisecond, CheckpointInterval: 20 * time.Millisecond}
	for _, t := range tables {
		cfg.TableSpecs = append(cfg.TableSpecs, TableSpec{Schema: "public", Name: t})
	}
	return cfg
}

func start(t testing.TB, srv *pgtest.Server, db string, cfg Config) *capture {
	c := &capture{mirror: &mirror{}, t: t, srv: srv, db: db, cfg: cfg}
	c.run(nil)
	t.Cleanup(func() {
		c.stop()
		if err := DropSlot(context.Background(), c.cfg, true); err != nil {
			t.Logf("dropping the slot: %v", err)
		}
	})
	return c
}

func (c *capture) run(from *connectors.Position) {
	src, err := newFeed(c.cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	c.src = src
	c.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel, c.done = cancel, make(chan error, 1)
	done := c.done
	go func() { done <- src.Run(ctx, from, c.mirror) }()
}

func (c *capture) stop() {
	if c.cancel != nil {
		c.cancel()
		<-c.done
		c.cancel = nil
	}
}

// resume stops the source and goes on from the mirror's position.
func (c *capture) resume() {
	c.stop()
	c.mu.Lock()
	at := c.at
	c.mu.Unlock()
	c.run(&at)
}

func (c *capture) exec(sql string) {
	c.t.Helper()
	c.srv.MustExec(c.t, c.db, sql)
}

func (c *capture) query(sql string) [][]string {
	c.t.Helper()
	conn, err := connect(context.Background(), &Config{ConnectionString: c.srv.DSN(c.db)}, false)
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	rows, err := query(context.Background(), conn, sql)
	if err != nil {
		c.t.Fatalf("%v\n%s", err, sql)
	}
	return rows
}

// until waits for a condition under the mirror's lock.
func (c *capture) until(what string, cond func() bool) {
	c.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		c.mu.Lock()
		ok := cond()
		c.mu.Unlock()
		if ok {
			return
		}
		select {
		case err := <-c.done:
			c.done <- err
			c.t.Fatalf("waiting for %s: the source ended: %v", what, err)
		default:
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("waited too long for %s; at %+v, statuses %v, %v, metrics %+v; %v", what, c.at, c.statuses, c.lastErr, c.src.Metrics(),
				c.query("SELECT pg_current_wal_lsn(), pg_current_wal_flush_lsn(), r::text FROM pg_stat_replication r"))
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// sync waits until everything written so far has arrived.
func (c *capture) sync() {
	c.t.Helper()
	lsn, err := pglogrepl.ParseLSN(c.query("SELECT pg_current_wal_lsn()")[0][0])
	if err != nil {
		c.t.Fatal(err)
	}
	c.until("position "+lsn.String(), func() bool { return c.started && c.at.Step == 0 && c.at.LSN >= connectors.LSN(lsn) })
}

// same waits and then compares all tables with the server's.
func (c *capture) same() {
	c.t.Helper()
	c.sync()
	c.compare()
}

// compare compares all tables with the server's as they are.
func (c *capture) compare() {
	c.t.Helper()
	for i, tab := range c.tables {
		if c.errs[i] != nil {
			continue
		}
		conn, err := connect(context.Background(), &Config{ConnectionString: c.srv.DSN(c.db)}, false)
		if err != nil {
			c.t.Fatal(err)
		}
		from := "ONLY " + quoteIdent(tab.Schema) + "." + quoteIdent(tab.Name)
		kind := c.query("SELECT relkind FROM pg_class WHERE oid = " + fmt.Sprint(tab.OID))
		if len(kind) == 0 {
			continue
		}
		if kind[0][0] == "p" {
			from = from[len("ONLY "):]
		}
		results, err := conn.Exec(context.Background(), "SELECT "+literals(tab.Columns, func(c types.Column) string { return quoteIdent(c.Name) })+" FROM "+from).ReadAll()
		if err != nil {
			c.t.Fatal(err)
		}
		conn.Close(context.Background())
		var want []string
		for _, row := range results[0].Rows {
			var b strings.Builder
			for _, v := range row {
				if v == nil {
					v = []byte("NULL")
				}
				fmt.Fprintf(&b, "%s|", v)
			}
			want = append(want, b.String())
		}
		slices.Sort(want)
		if got := c.text(i); !slices.Equal(got, want) {
			c.t.Fatalf("table %s: got %d rows, want %d; first difference:\n%s", tab.Name, len(got), len(want), difference(got, want))
		}
	}
}

func difference(got, want []string) string {
	short := func(s []string, i int) string {
		if i >= len(s) {
			return "(none)"
		}
		if len(s[i]) > 2000 {
			return s[i][:2000] + "…"
		}
		return s[i]
	}
	for i := range max(len(got), len(want)) {
		if g, w := short(got, i), short(want, i); g != w {
			return "got  " + g + "\nwant " + w
		}
	}
	return "(none)"
}

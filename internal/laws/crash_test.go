package laws

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/internal/pgtest"
	"github.com/helios-sql/helios-sql/state"
)

var (
	crashRuns = flag.Int("crash.runs", 50, "kills of the crash test")
	crashSeed = flag.Uint64("crash.seed", 0, "seed; 0: from the clock")
)

// TestCrash kills the program again and again, in the middle of everything it
// does, and after each restart compares all it holds with PostgreSQL's own answers and
// with what clients were told.
func TestCrash(t *testing.T) {
	seed := *crashSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("rerun with -crash.seed=%d", seed)
	pg := pgtest.Start(t, streaming)
	c := newCrasher(t, pg, seed)
	for i := range *crashRuns {
		c.round(i)
	}
	c.s.stop()
	c.start()
	c.verify()
	t.Logf("%d kills, by what went on: %v", *crashRuns+c.again, c.kills)
}

// bigSchema is what the crash test has beside the tables of the oracle test: a
// table large enough to be in the middle of, and the shadow of the internal table.
const bigSchema = `
CREATE TABLE big (id bigint PRIMARY KEY, grp int, val numeric, pad text);
INSERT INTO big SELECT i, i % 100, i / 7.0, repeat('x', 50) FROM generate_series(1, 20000) i;
CREATE TABLE kv (k int PRIMARY KEY, v int);
`

// bigViews are views over big and over the internal table.
var bigViews = []string{
	`SELECT grp, count(*) AS n, sum(val) AS s, max(id) AS m FROM big GROUP BY grp`,
	`SELECT b.grp, u.country, count(*) AS n, sum(b.val) AS s FROM big b JOIN users u ON u.id = b.grp GROUP BY b.grp, u.country`,
	`SELECT a.id, b.val FROM big a LEFT JOIN big b ON b.id = a.id + 10000 WHERE a.grp < 10`,
	`SELECT count(*) AS n, sum(val) AS s, count(DISTINCT grp) AS g FROM big`,
	`SELECT v, count(*) AS n, sum(k) AS s FROM kv GROUP BY v`,
	`SELECT kv.k, kv.v, u.name FROM kv LEFT JOIN users u ON u.id = kv.k`,
}

// A crasher is the state of the test between kills.
type crasher struct {
	t    *testing.T
	rng  *rand.Rand
	pg   *pgtest.Server
	db   string
	conn *pgconn.PgConn
	s    *server
	h    *pgconn.PgConn // to the present process

	defs    map[string]string // what views can be made
	sure    map[string]bool   // views that exist
	maybe   map[string]bool   // views whose creation or removal was not answered
	tables  map[string]bool   // scratch tables that exist, false: perhaps
	clients [2]*kvClient
	kills   map[string]int
	again   int // kills during recovery
}

func newCrasher(t *testing.T, pg *pgtest.Server, seed uint64) *crasher {
	c := &crasher{t: t, rng: rand.New(rand.NewPCG(seed, 2)), pg: pg, db: pg.CreateDatabase(t), defs: map[string]string{},
		sure: map[string]bool{}, maybe: map[string]bool{}, tables: map[string]bool{}, kills: map[string]int{}}
	c.conn = pg.MustConnect(t, c.db).PgConn()
	must(t, c.conn, "SET timezone = 'UTC'; SET extra_float_digits = 1;"+schema+bigSchema)
	for i, q := range slices.Concat(views, bigViews) {
		c.defs[fmt.Sprintf("v%d", i)] = q
	}
	w := newWorkload(seed, c.conn)
	for range 30 {
		if err := w.transaction(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	for i := range c.clients {
		c.clients[i] = &kvClient{id: i, rng: rand.New(rand.NewPCG(seed, uint64(10+i))), acked: map[int]int{}}
	}
	c.s = newServer(t)
	c.start()
	must(t, c.h, "CREATE TABLE kv (k int PRIMARY KEY, v int)")
	must(t, c.h, c.createSource())
	c.createViews(6)
	c.verify()
	return c
}

func (c *crasher) createSource() string {
	return fmt.Sprintf(`CREATE SOURCE src FROM CDC CONNECTION %s TABLES (users, orders, items, log, big)
		WITH (slot_name = 'crash', publication_name = 'crash', poll_interval = '10ms', max_step_rows = %d, checkpoint_interval = '100ms')`,
		quote(c.pg.DSN(c.db)), 50+c.rng.IntN(1000))
}

func (c *crasher) start() {
	c.t.Helper()
	c.s.Args = []string{"--memory", "64MB", "--checkpoint-interval", []string{"20ms", "200ms", "1s"}[c.rng.IntN(3)]}
	c.s.start()
	var err error
	if c.h, err = c.s.dial(); err != nil {
		c.t.Fatal(err)
	}
}

// createViews makes up to n of the views that are not there.
func (c *crasher) createViews(n int) {
	c.t.Helper()
	for _, name := range c.shuffled(c.rng) {
		if n > 0 && !c.sure[name] {
			must(c.t, c.h, "CREATE MATERIALIZED VIEW "+name+" AS "+c.defs[name])
			c.sure[name] = true
			n--
		}
	}
}

func (c *crasher) shuffled(rng *rand.Rand) []string {
	names := slices.Sorted(maps.Keys(c.defs))
	rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	return names
}

// round is one kill: something goes on, under load; the process is killed in
// the middle of it and started again; all is compared.
func (c *crasher) round(i int) {
	c.t.Helper()
	began := time.Now()
	acts := []struct {
		name  string
		delay int // most ms until the kill
		do    func(context.Context, *pgconn.PgConn, *rand.Rand) error
	}{
		{"streaming", 300, c.idle}, {"large transactions", 250, c.large}, {"hydration", 200, c.hydrate},
		{"definitions", 250, c.define}, {"snapshot", 250, c.idle}, {"statements", 150, c.idle},
	}
	act := acts[(i+c.rng.IntN(2))%len(acts)]
	if act.name == "snapshot" {
		must(c.t, c.h, "DROP SOURCE src CASCADE")
		if left := must(c.t, c.conn, "SELECT slot_name FROM pg_replication_slots"); len(left) > 0 {
			c.t.Fatalf("DROP SOURCE leaves slots behind: %q", left)
		}
		clear(c.sure)
		for name, q := range c.defs {
			if strings.Contains(q, "FROM kv GROUP") {
				c.sure[name] = len(must(c.t, c.h, "SELECT name FROM helios.views WHERE name = '"+name+"'")) > 0
			}
		}
		must(c.t, c.h, c.createSource())
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var failed sync.Map
	run := func(what string, f func() error) {
		wg.Go(func() {
			if err := f(); err != nil && !broken(err) {
				failed.Store(what, err)
			}
		})
	}
	seed := c.rng.Uint64()
	run("load", func() error { return c.load(ctx, seed) })
	for i := range c.clients {
		run("client", func() error { return c.clients[i].run(ctx, c.s) })
	}
	h, rng := c.h, rand.New(rand.NewPCG(c.rng.Uint64(), 3))
	run(act.name, func() error { return act.do(ctx, h, rng) })
	time.Sleep(time.Duration(c.rng.IntN(act.delay*1000)) * time.Microsecond)
	c.s.Kill()
	c.kills[act.name]++
	if c.rng.IntN(5) == 0 {
		c.checkSlot()
	}
	if c.rng.IntN(4) == 0 {
		c.s.spawn()
		time.Sleep(time.Duration(c.rng.IntN(150_000)) * time.Microsecond)
		c.s.Kill()
		c.again++
	}
	c.start()
	time.Sleep(time.Duration(c.rng.IntN(50)) * time.Millisecond)
	cancel()
	wg.Wait()
	failed.Range(func(what, err any) bool {
		c.t.Fatalf("run %d, %s: %s: %v", i, act.name, what, err)
		return false
	})
	c.settle()
	c.verify()
	if len(c.sure) < 8 {
		c.createViews(3)
	}
	c.t.Logf("run %d: killed during %s, %v", i, act.name, time.Since(began).Round(time.Millisecond))
	if c.t.Failed() {
		c.t.FailNow()
	}
}

// broken reports whether a client lost its connection: that is what a kill does.
func broken(err error) bool {
	var pg *pgconn.PgError
	return !errors.As(err, &pg) || pg.Code == "57P01"
}

func (c *crasher) idle(context.Context, *pgconn.PgConn, *rand.Rand) error { return nil }

// load changes the source until ctx ends.
func (c *crasher) load(ctx context.Context, seed uint64) error {
	conn, err := c.pg.Connect(context.Background(), c.db)
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	w := newWorkload(seed, conn.PgConn())
	for ctx.Err() == nil {
		if err := w.transaction(context.Background()); err != nil {
			return err
		}
		from := w.rng.IntN(20000)
		_, err := ask(context.Background(), conn.PgConn(), fmt.Sprintf("UPDATE big SET val = val + 1 WHERE id BETWEEN %d AND %d", from, from+w.rng.IntN(100)))
		if err != nil && sqlstate(err) != "40P01" {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

// large commits transactions of many steps.
func (c *crasher) large(ctx context.Context, _ *pgconn.PgConn, rng *rand.Rand) error {
	conn, err := c.pg.Connect(context.Background(), c.db)
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	for n := 0; ctx.Err() == nil && n < 5; n++ {
		var sql string
		switch rng.IntN(4) {
		case 0:
			sql = "UPDATE big SET val = val * 2, grp = (grp + 1) % 100 WHERE id % 3 = 0"
		case 1:
			sql = "TRUNCATE big; INSERT INTO big SELECT i, i % 50, i, 'new' FROM generate_series(1, 20000) i; DELETE FROM big WHERE id % 5 = 0"
		case 2:
			sql = "DELETE FROM big WHERE id > 15000; INSERT INTO big SELECT i, 7, i, repeat('y', 100) FROM generate_series(15001, 22000) i; UPDATE big SET pad = 'z' WHERE id > 14000"
		case 3:
			sql = "UPDATE big SET id = id + 100000 WHERE id < 3000; UPDATE big SET id = id - 100000 WHERE id > 100000; UPDATE users SET vip = NOT vip"
		}
		_, err := ask(context.Background(), conn.PgConn(), "BEGIN;"+sql+";COMMIT")
		if sqlstate(err) == "40P01" {
			_, err = ask(context.Background(), conn.PgConn(), "ROLLBACK") // the victim of a deadlock with the other load
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// hydrate creates and drops views until the kill.
func (c *crasher) hydrate(ctx context.Context, h *pgconn.PgConn, rng *rand.Rand) error {
	return c.change(ctx, h, func(name string) (string, *map[string]bool) {
		if c.sure[name] {
			return "DROP MATERIALIZED VIEW " + name, &c.sure
		}
		return "CREATE MATERIALIZED VIEW " + name + " AS " + c.defs[name], &c.sure
	}, c.shuffled(rng))
}

// define creates and drops tables and views in turn until the kill.
func (c *crasher) define(ctx context.Context, h *pgconn.PgConn, rng *rand.Rand) error {
	var names []string
	for _, v := range c.shuffled(rng) {
		names = append(names, fmt.Sprintf("t%d", rng.IntN(4)), v)
	}
	return c.change(ctx, h, func(name string) (string, *map[string]bool) {
		if name[0] == 'v' {
			if c.sure[name] {
				return "DROP MATERIALIZED VIEW " + name, &c.sure
			}
			return "CREATE MATERIALIZED VIEW " + name + " AS " + c.defs[name], &c.sure
		}
		if c.tables[name] {
			return "DROP TABLE " + name, &c.tables
		}
		return "CREATE TABLE " + name + " (a int PRIMARY KEY, b text); INSERT INTO " + name + " VALUES (1, 'x'), (2, 'y')", &c.tables
	}, names)
}

// change runs statements over names and keeps book of what was answered.
func (c *crasher) change(ctx context.Context, h *pgconn.PgConn, statement func(string) (string, *map[string]bool), names []string) error {
	for _, name := range names {
		if ctx.Err() != nil {
			return nil
		}
		sql, in := statement(name)
		c.maybe[name] = true
		if _, err := ask(context.Background(), h, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
		delete(c.maybe, name)
		(*in)[name] = !(*in)[name]
	}
	return nil
}

// settle finds out what became of the statements that were not answered.
func (c *crasher) settle() {
	c.t.Helper()
	if len(must(c.t, c.h, "SELECT name FROM helios.sources WHERE state <> 'dropping'")) == 0 {
		c.t.Fatal("the source is gone")
	}
	there := map[string]bool{}
	for _, row := range must(c.t, c.h, "SELECT name, kind FROM helios.relations WHERE kind IN ('table', 'materialized view')") {
		name, _, _ := strings.Cut(row, "|")
		there[name] = true
	}
	for _, row := range must(c.t, c.h, "SELECT name, state, last_error FROM helios.views") {
		if strings.Contains(row, "|hydrating|") || strings.Contains(row, "|stopped|") {
			c.t.Fatalf("after a restart: %s", row)
		}
	}
	for name := range c.defs {
		if c.maybe[name] {
			c.sure[name] = there[name]
		} else if c.sure[name] != there[name] {
			c.t.Fatalf("view %s: there is %v, clients were told %v", name, there[name], c.sure[name])
		}
	}
	for i := range 4 {
		name := fmt.Sprintf("t%d", i)
		if c.maybe[name] {
			c.tables[name] = there[name]
		} else if c.tables[name] != there[name] {
			c.t.Fatalf("table %s: there is %v, clients were told %v", name, there[name], c.tables[name])
		}
		if !there[name] {
			continue
		}
		rows := must(c.t, c.h, "SELECT * FROM "+name)
		if d := differ(rows, []string{"1|x", "2|y"}); d != "" && !(c.maybe[name] && len(rows) == 0) {
			c.t.Fatalf("table %s\n%s", name, d)
		}
		if len(rows) == 0 {
			must(c.t, c.h, "INSERT INTO "+name+" VALUES (1, 'x'), (2, 'y')")
		}
	}
	clear(c.maybe)
}

// verify compares everything at the source's present end.
func (c *crasher) verify() {
	c.t.Helper()
	must(c.t, c.h, "SET statement_timeout = '60s'; SET helios.min_lsn = '"+currentLSN(c.t, c.conn)+"'")
	kv := map[int]int{}
	for _, row := range must(c.t, c.h, "SELECT k, v FROM kv") {
		var k, v int
		if _, err := fmt.Sscanf(row, "%d|%d", &k, &v); err != nil {
			c.t.Fatal(err)
		}
		kv[k] = v
	}
	for _, client := range c.clients {
		client.verify(c.t, kv)
	}
	shadow := "TRUNCATE kv;"
	for k, v := range kv {
		shadow += fmt.Sprintf("INSERT INTO kv VALUES (%d, %d);", k, v)
	}
	must(c.t, c.conn, shadow)
	compare := func(mine, q string) {
		want, wantErr := ask(context.Background(), c.conn, q)
		got, gotErr := ask(context.Background(), c.h, mine)
		if sqlstate(wantErr) != sqlstate(gotErr) {
			c.t.Errorf("%s\n%s\nhere: %v\nPostgreSQL: %v", mine, q, gotErr, wantErr)
		} else if d := differ(got, want); d != "" && gotErr == nil {
			c.t.Errorf("%s\n%s\n%s", mine, q, d)
		}
	}
	for _, table := range []string{"users", "orders", "items", "log", "big"} {
		compare("SELECT * FROM "+table, "SELECT * FROM "+table)
	}
	for name, q := range c.defs {
		if c.sure[name] {
			compare("SELECT * FROM "+name, q)
		}
	}
	if c.t.Failed() {
		c.t.FailNow()
	}
}

// checkSlot looks, while no process runs, whether the slot was confirmed past
// the state: on a copy, so that the next start still has its recovery to do.
func (c *crasher) checkSlot() {
	c.t.Helper()
	confirmed := must(c.t, c.conn, "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'crash'")
	dir := filepath.Join(c.t.TempDir(), "copy")
	if err := os.CopyFS(dir, os.DirFS(c.s.Data)); err != nil {
		c.t.Fatal(err)
	}
	store, err := state.Open(state.Options{Dir: dir, MemoryBudget: 64 << 20})
	if err != nil {
		c.t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	defer store.Close()
	for _, p := range store.Checkpoint().Sources {
		if len(confirmed) == 0 {
			c.t.Fatal("the state has a position, and there is no slot")
		}
		lsn, err := connectors.ParseLSN(confirmed[0])
		if err != nil {
			c.t.Fatal(err)
		}
		if p.Step > 0 {
			c.kills["between two steps"]++
		}
		if uint64(lsn) > p.LSN {
			c.t.Fatalf("the slot is confirmed at %s, the state is at %s", lsn, connectors.LSN(p.LSN))
		}
	}
}

// A kvClient changes rows of the internal table that are its own, and knows
// what it was told.
type kvClient struct {
	id      int
	rng     *rand.Rand
	acked   map[int]int
	pending map[int]int // what a COMMIT without answer would give; nil: none
}

// run changes rows until ctx ends or the connection is lost.
func (k *kvClient) run(ctx context.Context, s *server) error {
	h, err := s.dial()
	if err != nil {
		return nil // killed before it began
	}
	defer h.Close(context.Background())
	for ctx.Err() == nil {
		next := maps.Clone(k.acked)
		var sql []string
		for range 1 + k.rng.IntN(6) {
			key, v := k.rng.IntN(60)*len(crasher{}.clients)+k.id, k.rng.IntN(10)
			_, there := next[key]
			switch {
			case !there:
				sql = append(sql, fmt.Sprintf("INSERT INTO kv VALUES (%d, %d)", key, v))
				next[key] = v
			case k.rng.IntN(3) == 0:
				sql = append(sql, fmt.Sprintf("DELETE FROM kv WHERE k = %d", key))
				delete(next, key)
			default:
				sql = append(sql, fmt.Sprintf("UPDATE kv SET v = %d WHERE k = %d", v, key))
				next[key] = v
			}
		}
		rollback := false
		switch k.rng.IntN(3) {
		case 0: // one string is one transaction
			sql = []string{strings.Join(sql, ";")}
		case 1:
			sql = append([]string{"BEGIN"}, append(sql, "COMMIT")...)
		case 2:
			rollback = true
			sql = append([]string{"BEGIN"}, append(sql, "ROLLBACK")...)
		}
		for i, q := range sql {
			if i == len(sql)-1 && !rollback {
				k.pending = next
			}
			if _, err := ask(context.Background(), h, q); err != nil {
				return fmt.Errorf("%s: %w", q, err)
			}
		}
		if !rollback {
			k.acked, k.pending = next, nil
		}
	}
	return nil
}

// verify compares with the table's rows.
func (k *kvClient) verify(t *testing.T, kv map[int]int) {
	t.Helper()
	mine := map[int]int{}
	for key, v := range kv {
		if key%len(crasher{}.clients) == k.id {
			mine[key] = v
		}
	}
	switch {
	case maps.Equal(mine, k.acked):
	case k.pending != nil && maps.Equal(mine, k.pending):
	default:
		t.Fatalf("internal table of client %d: %v\nacknowledged: %v\nperhaps committed: %v", k.id, mine, k.acked, k.pending)
	}
	k.acked, k.pending = mine, nil
}

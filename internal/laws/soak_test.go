package laws

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/helios-sql/helios-sql/internal/faultproxy"
	"github.com/helios-sql/helios-sql/internal/pgtest"
)

var (
	soakTime = flag.Duration("soak.time", 3*time.Second, "how long the soak test loads the source")
	soakSeed = flag.Uint64("soak.seed", 0, "seed; 0: from the clock")
)

// soakTables are what the soak test has beside the crash test's: a table whose
// definition changes, and one with values that are stored out of line.
const soakTables = `
CREATE TABLE wide (id int PRIMARY KEY, grp int, pad text);
CREATE TABLE toast (id int PRIMARY KEY, n int, body text);
ALTER TABLE toast ALTER body SET STORAGE EXTERNAL;
`

var soakViews = map[string]string{
	"w0": `SELECT grp, count(*) AS n, min(pad) AS lo FROM wide GROUP BY grp`,
	"w1": `SELECT id, n, length(body) AS len, left(body, 12) AS head, right(body, 12) AS tail FROM toast`,
}

// A soak is a source under load, with everything going wrong around it.
type soak struct {
	*crasher
	proxy  *faultproxy.Proxy
	faults map[string]int
	rss    []int64 // at each comparison
}

// TestSoak loads a source with all kinds of transactions and definitions for
// soak.time, while both servers are killed and connections end in all ways; then, and
// now and then on the way, all tables and views must be PostgreSQL's, and the memory is bounded.
func TestSoak(t *testing.T) {
	seed := *soakSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("rerun with -soak.seed=%d -soak.time=%v", seed, *soakTime)
	pg := pgtest.Start(t, pgtest.Setting("wal_sender_timeout", "5s")) // a half-open connection holds the slot that long
	s := &soak{crasher: newCrasher(t, pg, seed), proxy: faultproxy.New(t, fmt.Sprintf("127.0.0.1:%d", pg.Port)), faults: map[string]int{}}
	s.prepare()
	deadline := time.Now().Add(*soakTime)
	for part := 0; part == 0 || time.Now().Before(deadline); part++ {
		s.part(min(20*time.Second, time.Until(deadline)))
		t.Logf("%v left, RSS %d MB, faults so far: %v", time.Until(deadline).Round(time.Second), s.rss[part]>>20, s.faults)
	}
	quarter := max(1, len(s.rss)/4)
	early, late := slices.Max(s.rss[:quarter]), slices.Max(s.rss[len(s.rss)-quarter:])
	t.Logf("RSS: %d MB early, %d MB late, %d MB at most", early>>20, late>>20, slices.Max(s.rss)>>20)
	if late > 2*early+64<<20 {
		t.Errorf("memory grows: %d MB, then %d MB", early>>20, late>>20)
	}
}

// prepare makes the source anew, through the proxy.
func (s *soak) prepare() {
	s.t.Helper()
	must(s.t, s.conn, soakTables+"INSERT INTO wide SELECT i, i % 10, 'pad ' || i FROM generate_series(1, 500) i; INSERT INTO toast SELECT i, 0, repeat(md5(i::text), 200) FROM generate_series(1, 50) i")
	must(s.t, s.h, "DROP SOURCE src CASCADE")
	must(s.t, s.h, fmt.Sprintf(`CREATE SOURCE src FROM CDC CONNECTION 'postgres://postgres@127.0.0.1:%d/%s?sslmode=disable' TABLES (users, orders, items, log, big, wide, toast)
		WITH (slot_name = 'soak', publication_name = 'soak', poll_interval = '10ms', max_step_rows = %d, checkpoint_interval = '100ms', keepalive_timeout = '2s')`,
		s.proxy.Port(), s.db, 50+s.rng.IntN(5000)))
	for name, q := range soakViews {
		s.defs[name] = q
	}
	clear(s.sure)
	for _, name := range strings.Fields(strings.Join(must(s.t, s.h, "SELECT name FROM helios.views"), " ")) {
		s.sure[name] = true // over internal tables only
	}
	for name, q := range soakViews {
		must(s.t, s.h, "CREATE MATERIALIZED VIEW "+name+" AS "+q)
		s.sure[name] = true
	}
	s.createViews(10)
}

// part loads the source for a while, does faults meanwhile, and compares.
func (s *soak) part(d time.Duration) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	again := func(what string, pause time.Duration, do func(context.Context, uint64) error) {
		seed := s.rng.Uint64()
		wg.Go(func() {
			for ; ctx.Err() == nil; seed++ {
				if err := do(ctx, seed); err != nil && !down(err) {
					mu.Lock()
					failed = errors.Join(failed, fmt.Errorf("%s: %w", what, err))
					mu.Unlock()
					return
				}
				select {
				case <-ctx.Done():
				case <-time.After(pause):
				}
			}
		})
	}
	again("load", 10*time.Millisecond, s.load)
	again("large transactions", 2*time.Second, func(ctx context.Context, seed uint64) error {
		ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond) // one or a few
		defer cancel()
		return s.large(ctx, nil, rand.New(rand.NewPCG(seed, 4)))
	})
	again("definitions", time.Second, s.alter)
	again("large values", 20*time.Millisecond, s.toast)
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(min(time.Until(end), time.Duration(300+s.rng.IntN(3000))*time.Millisecond))
		s.fault()
	}
	cancel()
	wg.Wait()
	if failed != nil {
		s.t.Fatal(failed)
	}
	// A walsender that is ended while it writes to a half-open connection keeps
	// the slot until the network gives that connection up.
	s.proxy.Throttle(0)
	s.proxy.All(faultproxy.Reset)
	s.compare()
}

// down reports whether a server that is killed or starts is the reason.
func down(err error) bool {
	return broken(err) || slices.Contains([]string{"57P01", "57P02", "57P03"}, sqlstate(err))
}

// fault lets one thing go wrong.
func (s *soak) fault() {
	s.t.Helper()
	all := []struct {
		name string
		do   func()
	}{
		{"helios-sql killed", func() { s.s.Kill(); s.start() }},
		{"PostgreSQL stopped immediately", func() {
			if err := s.pg.StopImmediate(); err != nil {
				s.t.Fatal(err)
			}
			if err := s.pg.Restart(); err != nil {
				s.t.Fatal(err)
			}
			s.conn = s.pg.MustConnect(s.t, s.db).PgConn()
			must(s.t, s.conn, "SET timezone = 'UTC'; SET extra_float_digits = 1")
		}},
		{"walsender ended", func() { must(s.t, s.conn, "SELECT pg_terminate_backend(pid) FROM pg_stat_replication") }},
		{"connections cut", func() { s.proxy.All(faultproxy.Cut) }},
		{"connections reset", func() { s.proxy.All(faultproxy.Reset) }},
		{"connections half open", func() { s.proxy.All(faultproxy.Hold) }},
		{"connection cut within a message", func() { s.proxy.AfterBytes(int64(s.rng.IntN(1<<20)), faultproxy.Cut) }},
		{"slow network", func() { s.proxy.Throttle(100_000 + s.rng.IntN(1_000_000)) }},
		{"fast network", func() { s.proxy.Throttle(0) }},
	}
	f := all[s.rng.IntN(len(all))]
	s.faults[f.name]++
	f.do()
}

// alter adds and drops a column that is not captured, with rows between. A
// table can do that 1,600 times.
func (s *soak) alter(ctx context.Context, seed uint64) error {
	conn, err := s.pg.Connect(ctx, s.db)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	rng := rand.New(rand.NewPCG(seed, 5))
	for _, sql := range []string{
		fmt.Sprintf("BEGIN; UPDATE wide SET grp = grp + 1 WHERE id %% 7 = %d; ALTER TABLE wide ADD COLUMN IF NOT EXISTS extra int DEFAULT %d; UPDATE wide SET pad = pad || 'x' WHERE id %% 11 = %d AND length(pad) < 100; COMMIT",
			rng.IntN(7), rng.IntN(100), rng.IntN(11)),
		fmt.Sprintf("DELETE FROM wide WHERE id %% 13 = %d", rng.IntN(13)),
		fmt.Sprintf("BEGIN; ALTER TABLE wide DROP COLUMN IF EXISTS extra; INSERT INTO wide SELECT i, i %% 10, 'new' FROM generate_series(1, 500) i ON CONFLICT DO NOTHING; UPDATE wide SET id = id + 1000 WHERE id = %d; COMMIT", rng.IntN(500)),
		fmt.Sprintf("DELETE FROM wide WHERE id = %d", 1000+rng.IntN(500)),
	} {
		if _, err := ask(context.Background(), conn.PgConn(), sql); err != nil {
			if !slices.Contains([]string{"23505", "40P01", "54011"}, sqlstate(err)) {
				return err
			}
			if _, err := ask(context.Background(), conn.PgConn(), "ROLLBACK"); err != nil {
				return err
			}
		}
	}
	return nil
}

// toast changes rows around large values, and the values.
func (s *soak) toast(ctx context.Context, seed uint64) error {
	conn, err := s.pg.Connect(ctx, s.db)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	rng := rand.New(rand.NewPCG(seed, 6))
	for range 20 {
		id := 1 + rng.IntN(50)
		sql := fmt.Sprintf("UPDATE toast SET n = n + 1 WHERE id = %d", id)
		switch rng.IntN(6) {
		case 0:
			sql = fmt.Sprintf("UPDATE toast SET body = repeat(md5('%d'), %d) WHERE id = %d", seed, 100+rng.IntN(2000), id)
		case 1:
			sql = fmt.Sprintf("UPDATE toast SET id = id + 100 WHERE id = %d; UPDATE toast SET id = id - 100 WHERE id > 100", id)
		case 2:
			sql = fmt.Sprintf("DELETE FROM toast WHERE id = %[1]d; INSERT INTO toast VALUES (%[1]d, 0, repeat('%[2]d', 3000)) ON CONFLICT DO NOTHING", id, rng.IntN(1000))
		}
		if _, err := ask(context.Background(), conn.PgConn(), sql); err != nil {
			return err
		}
	}
	return nil
}

// compare waits for the source and compares all tables and views; then it
// notes the memory.
func (s *soak) compare() {
	s.t.Helper()
	s.verify()
	for _, q := range []string{"SELECT id, grp, pad FROM wide", "SELECT id, n, body FROM toast"} {
		if d := differ(must(s.t, s.h, q), must(s.t, s.conn, q)); d != "" {
			s.t.Fatalf("%s\n%s", q, d)
		}
	}
	must(s.t, s.conn, "VACUUM")
	rss, err := residentSet(s.s.PID())
	if err != nil {
		s.t.Fatal(err)
	}
	s.rss = append(s.rss, rss)
}

// residentSet is the memory that a process has, in bytes.
func residentSet(pid int) (int64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	pages, err := strconv.ParseInt(strings.Fields(string(data))[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}

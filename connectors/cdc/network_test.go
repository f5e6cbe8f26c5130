package cdc

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/internal/faultproxy"
	"github.com/helios-sql/helios-sql/internal/pgtest"
)

// throughProxy is cfg with the connection led through a proxy, and a silence
// of the server noticed soon.
func throughProxy(t testing.TB, srv *pgtest.Server, db string, cfg Config) (Config, *faultproxy.Proxy) {
	t.Helper()
	p := faultproxy.New(t, "127.0.0.1:"+strconv.Itoa(srv.Port))
	cfg.ConnectionString = strings.Replace(srv.TCP(db), fmt.Sprint(srv.Port), strconv.Itoa(p.Port()), 1)
	cfg.KeepaliveTimeout = time.Second
	return cfg, p
}

// Whatever the network does, and whenever, it is noticed and retried, and no
// change is lost or comes twice.
func TestNetworkFaults(t *testing.T) {
	t.Parallel()
	srv := pgtest.Start(t, pgtest.Setting("wal_sender_timeout", "2s"), pgtest.Setting("max_replication_slots", "40"),
		pgtest.Setting("max_wal_senders", "40"), pgtest.Setting("max_connections", "150"))
	faults := []struct {
		name string
		do   faultproxy.Fault
	}{{"cut", faultproxy.Cut}, {"reset", faultproxy.Reset}, {"half open", faultproxy.Hold}}
	// Each stage arms the proxy, before the start or from within the source.
	stages := []struct {
		name string
		arm  func(*faultproxy.Proxy, faultproxy.Fault)
		live func(*capture, *faultproxy.Proxy, faultproxy.Fault) // once the stream runs
	}{
		{"connect", func(p *faultproxy.Proxy, f faultproxy.Fault) { p.OnText("application_name", f) }, nil},
		{"answer to connect", func(p *faultproxy.Proxy, f faultproxy.Fault) { p.AfterBytes(100, f) }, nil},
		{"discover", func(p *faultproxy.Proxy, f faultproxy.Fault) { p.OnText("FROM pg_publication WHERE", f) }, nil},
		{"publication", func(p *faultproxy.Proxy, f faultproxy.Fault) { p.OnText("CREATE PUBLICATION", f) }, nil},
		{"slot", func(p *faultproxy.Proxy, f faultproxy.Fault) { p.OnText("CREATE_REPLICATION_SLOT", f) }, nil},
		{"snapshot's start", func(p *faultproxy.Proxy, f faultproxy.Fault) { p.OnText("SET TRANSACTION SNAPSHOT", f) }, nil},
		{"snapshot", func(p *faultproxy.Proxy, f faultproxy.Fault) { p.AfterBytes(800_000, f) }, nil},
		{"start of the stream", func(p *faultproxy.Proxy, f faultproxy.Fault) { p.OnText("START_REPLICATION", f) }, nil},
		{"large transaction", nil, func(c *capture, p *faultproxy.Proxy, f faultproxy.Fault) {
			p.AfterBytes(200_000, f)
			c.exec("BEGIN; UPDATE a SET v = v || 'y'; DELETE FROM a WHERE id % 5 = 0; COMMIT")
		}},
		{"idle", nil, func(c *capture, p *faultproxy.Proxy, f faultproxy.Fault) { p.All(f) }},
	}
	for _, stage := range stages {
		for _, fault := range faults {
			t.Run(stage.name+"/"+fault.name, func(t *testing.T) {
				t.Parallel()
				db := srv.CreateDatabase(t)
				srv.MustExec(t, db, "CREATE TABLE a (id serial PRIMARY KEY, v text); INSERT INTO a (v) SELECT repeat('x', 500) FROM generate_series(1, 4000)")
				cfg, p := throughProxy(t, srv, db, testConfig(srv, db, "a"))
				cfg.MaxStepRows = 200
				if stage.arm != nil {
					stage.arm(p, fault.do)
				}
				c := start(t, srv, db, cfg)
				c.exec("INSERT INTO a (v) VALUES ('one'); UPDATE a SET v = 'two' WHERE id % 7 = 0")
				c.same()
				if stage.live != nil {
					stage.live(c, p, fault.do)
				}
				c.exec("INSERT INTO a (v) VALUES ('last')")
				c.same()
				c.mu.Lock()
				defer c.mu.Unlock()
				if p.Pending() || !slices.Contains(c.statuses, "retrying") || c.src.Metrics().Reconnects == 0 {
					t.Fatalf("the fault was not met: statuses %v", c.statuses)
				}
				if c.statuses[len(c.statuses)-1] != "streaming" || c.lastErr != nil {
					t.Fatalf("statuses %v, %v", c.statuses, c.lastErr)
				}
			})
		}
	}
}

// A server that has rightly nothing to say is waited for: a new slot waits for
// the transactions that are open.
func TestPatience(t *testing.T) {
	t.Parallel()
	srv := pgtest.Start(t)
	db := srv.CreateDatabase(t)
	srv.MustExec(t, db, "CREATE TABLE a (id int PRIMARY KEY)")
	ctx := context.Background()
	busy := srv.MustConnect(t, db)
	if _, err := busy.Exec(ctx, "BEGIN; INSERT INTO a VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	cfg, p := throughProxy(t, srv, db, testConfig(srv, db, "a"))
	cfg.KeepaliveTimeout = 3 * time.Second
	c := start(t, srv, db, cfg)
	// Asked twice, and told so each time: by connections beside the source's two.
	deadline := time.Now().Add(30 * time.Second)
	for p.Accepted() < 4 && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(time.Second) // for the answer
	if _, err := busy.Exec(ctx, "COMMIT"); err != nil {
		t.Fatal(err)
	}
	c.same()
	if n := c.src.Metrics().Reconnects; n != 0 || p.Accepted() < 4 {
		t.Fatalf("%d reconnections, %v; %d connections", n, c.lastErr, p.Accepted())
	}
}

// A snapshot that comes slowly, or waits for a slow sink, is not given up.
func TestSlowSnapshot(t *testing.T) {
	t.Parallel()
	db := server.CreateDatabase(t)
	server.MustExec(t, db, "CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a SELECT i, repeat('x', 1000) FROM generate_series(1, 3000) i")
	cfg, p := throughProxy(t, server, db, testConfig(server, db, "a"))
	p.Throttle(2_000_000)
	src, err := newFeed(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c := &capture{mirror: &mirror{src: src}, t: t, srv: server, db: db, cfg: cfg, done: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	t.Cleanup(func() {
		c.stop()
		if err := DropSlot(context.Background(), cfg, true); err != nil {
			t.Log(err)
		}
	})
	slow := true
	go func() {
		c.done <- src.Run(ctx, nil, &cuttingSink{c.mirror, func() {
			if slow {
				slow = false
				time.Sleep(3 * time.Second)
			}
		}})
	}()
	c.same()
	if n := src.Metrics().Reconnects; n != 0 {
		t.Fatalf("%d reconnections: %v", n, c.lastErr)
	}
}

// While the network fails at random, a program gets every change once, in order.
func TestEventsThroughFaults(t *testing.T) {
	t.Parallel()
	srv := pgtest.Start(t, pgtest.Setting("wal_sender_timeout", "1s"))
	db := srv.CreateDatabase(t)
	srv.MustExec(t, db, "CREATE TABLE a (id serial PRIMARY KEY, v int)")
	cfg, p := throughProxy(t, srv, db, Config{SlotName: "slot_" + db, Tables: []string{"a"}, MaxStepRows: 20,
		PollInterval: 5 * time.Millisecond, CheckpointInterval: 20 * time.Millisecond})
	src, err := NewSource(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	if err := src.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	const transactions, rows = 60, 50
	written := make(chan error, 1)
	go func() {
		conn, err := srv.Connect(ctx, db)
		for i := 0; err == nil && i < transactions; i++ {
			_, err = conn.Exec(ctx, fmt.Sprintf("INSERT INTO a (v) SELECT %d FROM generate_series(1, %d)", i, rows))
			switch i {
			case 10:
				p.AfterBytes(2500, faultproxy.Reset)
			case 20, 50:
				p.All(faultproxy.Cut)
			case 30:
				p.AfterBytes(20_000, faultproxy.Hold)
			case 40:
				p.Refuse(true)
				p.All(faultproxy.Reset)
			case 45:
				p.Refuse(false)
			}
			time.Sleep(20 * time.Millisecond)
		}
		written <- err
	}()
	next := int64(1)
	var last connectors.LSN
	for next <= transactions*rows {
		ev, err := src.Recv(ctx)
		if err != nil {
			t.Fatalf("before row %d: %v, metrics %+v", next, err, src.Metrics())
		}
		if ev.CommitLSN < last {
			t.Fatalf("event of %s after one of %s", ev.CommitLSN, last)
		}
		last = ev.CommitLSN
		if ev.Type == Create {
			if id, _ := ev.After().Int64(0); id != next {
				t.Fatalf("row %d, want %d", id, next)
			}
			next++
		}
		if err := src.Confirm(src.Checkpoint()); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	if src.Metrics().Reconnects < 3 {
		t.Fatalf("%d reconnections", src.Metrics().Reconnects)
	}
}

package wire_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/helios-sql/helios-sql/wire"
)

// connect opens a pgx connection with a way of running statements.
func connect(t testing.TB, dsn string, mode pgx.QueryExecMode) *pgx.Conn {
	t.Helper()
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	cfg.DefaultQueryExecMode = mode
	c, err := pgx.ConnectConfig(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func mustExec(t testing.TB, c *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := c.Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// endless is a statement that runs until it is canceled, over a table of ten rows.
const endless = "select count(*) from n a, n b, n c, n d, n e, n f, n g, n h, n i, n j where a.a + b.a + c.a + d.a + e.a + f.a + g.a + h.a + i.a + j.a < 0"

func makeN(t testing.TB, c *pgx.Conn) {
	t.Helper()
	mustExec(t, c, "create table n (a int)")
	mustExec(t, c, "insert into n values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)")
}

func codeOf(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return fmt.Sprint(err)
}

// TestPgxModes runs the same statements in every way that pgx has.
func TestPgxModes(t *testing.T) {
	s := start(t, wire.Options{})
	ctx := context.Background()
	for i, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe,
		pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		t.Run(mode.String(), func(t *testing.T) {
			c := connect(t, s.dsn("helios"), mode)
			table := fmt.Sprintf("t%d", i)
			mustExec(t, c, "create table "+table+" (a int primary key, b text, c numeric(10,2), d timestamptz, e bytea, f bool, g int8[], h uuid, i float8)")
			when := time.Date(2026, 1, 2, 3, 4, 5, 678000, time.UTC)
			for k := range 3 {
				tag, err := c.Exec(ctx, "insert into "+table+" values ($1, $2, $3, $4, $5, $6, $7, $8, $9)", k, "tëxt", "12.50", when, []byte{0, 1, 255},
					k == 1, []int64{1, 2}, "00112233-4455-6677-8899-aabbccddeeff", 1.5)
				if err != nil {
					t.Fatal(err)
				}
				if tag.String() != "INSERT 0 1" {
					t.Errorf("tag %q", tag)
				}
			}
			var b, num, h string
			var d time.Time
			var e []byte
			var f bool
			var g []int64
			var x float64
			err := c.QueryRow(ctx, "select b, c::text, d, e, f, g, h::text, i from "+table+" where a = $1", 1).Scan(&b, &num, &d, &e, &f, &g, &h, &x)
			if err != nil {
				t.Fatal(err)
			}
			if b != "tëxt" || num != "12.50" || !d.Equal(when) || !bytes.Equal(e, []byte{0, 1, 255}) || !f || fmt.Sprint(g) != "[1 2]" ||
				h != "00112233-4455-6677-8899-aabbccddeeff" || x != 1.5 {
				t.Error(b, num, d, e, f, g, h, x)
			}
			if _, err := c.Exec(ctx, "insert into "+table+" (a) values ($1)", 1); codeOf(err) != "23505" {
				t.Errorf("duplicate key: %v", err)
			}
			tx, err := c.Begin(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec(ctx, "delete from "+table); err != nil {
				t.Fatal(err)
			}
			if err := tx.Rollback(ctx); err != nil {
				t.Fatal(err)
			}
			batch := &pgx.Batch{}
			for k := range 20 {
				batch.Queue("insert into "+table+" (a) values ($1)", 100+k)
			}
			batch.Queue("select count(*) from " + table)
			results := c.SendBatch(ctx, batch)
			for range 20 {
				if _, err := results.Exec(); err != nil {
					t.Fatal(err)
				}
			}
			var n int
			if err := results.QueryRow().Scan(&n); err != nil || n != 23 {
				t.Errorf("%d rows, %v", n, err)
			}
			if err := results.Close(); err != nil {
				t.Fatal(err)
			}
			batch = &pgx.Batch{}
			batch.Queue("insert into "+table+" (a) values ($1)", 500)
			batch.Queue("insert into "+table+" (a) values ($1)", 100)
			if err := c.SendBatch(ctx, batch).Close(); codeOf(err) != "23505" {
				t.Errorf("batch with a duplicate key: %v", err)
			}
			if err := c.QueryRow(ctx, "select count(*) from "+table).Scan(&n); err != nil || n != 23 {
				t.Errorf("after a failed batch: %d rows, %v", n, err)
			}
		})
	}
}

// TestCopy moves rows in and out through COPY.
func TestCopy(t *testing.T) {
	s := start(t, wire.Options{})
	ctx := context.Background()
	c := connect(t, s.dsn("helios"), pgx.QueryExecModeCacheStatement)
	mustExec(t, c, "create table t (a int primary key, b text)")
	var in bytes.Buffer
	for i := range 20_000 {
		fmt.Fprintf(&in, "%d\trow %d\n", i, i)
	}
	want := in.String()
	tag, err := c.PgConn().CopyFrom(ctx, &in, "copy t from stdin")
	if err != nil || tag.String() != "COPY 20000" {
		t.Fatal(tag, err)
	}
	var out bytes.Buffer
	if tag, err = c.PgConn().CopyTo(ctx, &out, "copy (select * from t order by a) to stdout"); err != nil || tag.String() != "COPY 20000" {
		t.Fatal(tag, err)
	}
	if out.String() != want {
		t.Error("what came out is not what went in")
	}
	// The client hears of the error although it has not finished.
	pr, pw := io.Pipe()
	go func() {
		for pw != nil {
			if _, err := pw.Write([]byte("no number\tx\n")); err != nil {
				return
			}
		}
	}()
	_, err = c.PgConn().CopyFrom(ctx, pr, "copy t from stdin")
	pr.Close()
	if codeOf(err) != "22P02" {
		t.Errorf("bad row: %v", err)
	}
	mustExec(t, c, "select 1")
}

// TestCancel cancels a statement through its context; the server stays.
func TestCancel(t *testing.T) {
	s := start(t, wire.Options{})
	c := connect(t, s.dsn("helios"), pgx.QueryExecModeCacheStatement)
	makeN(t, c)
	cfg, err := pgx.ParseConfig(s.dsn("helios"))
	if err != nil {
		t.Fatal(err)
	}
	cfg.BuildContextWatcherHandler = func(p *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: p, CancelRequestDelay: 0, DeadlineDelay: 5 * time.Second}
	}
	c2, err := pgx.ConnectConfig(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c2.Close(context.Background())
	for range 3 {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		began := time.Now()
		_, err = c2.Exec(ctx, endless)
		cancel()
		if codeOf(err) != "57014" || time.Since(began) > 3*time.Second {
			t.Fatalf("after %v: %v", time.Since(began), err)
		}
		mustExec(t, c2, "select 1")
	}
}

// TestDisconnect cancels the statement of a client that has gone.
func TestDisconnect(t *testing.T) {
	s := start(t, wire.Options{})
	c := connect(t, s.dsn("helios"), pgx.QueryExecModeCacheStatement)
	makeN(t, c)
	r := dial(t, "tcp", s.addr)
	r.startup(3<<16, "user", "x", "database", "helios")
	r.until("Z", 1)
	r.write(message(t, "Q "+endless))
	time.Sleep(100 * time.Millisecond)
	r.write(message(t, "Q select 1")) // unread when the client goes
	r.nc.Close()
	waitFor(t, func() bool { return metric(t, s, "helios_wire_connections") == 1 })
}

func waitFor(t testing.TB, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen")
		}
	}
}

// metric gives the value of a metric without labels.
func metric(t testing.TB, s *server, name string) float64 {
	t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(s.Collector())
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if m := f.GetMetric()[0]; f.GetName() == name {
			return m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// TestTooMany refuses clients beyond the limit, but not for ever.
func TestTooMany(t *testing.T) {
	s := start(t, wire.Options{MaxConnections: 2})
	ctx := context.Background()
	a := connect(t, s.dsn("helios"), pgx.QueryExecModeExec)
	connect(t, s.dsn("helios"), pgx.QueryExecModeExec)
	if _, err := pgx.Connect(ctx, s.dsn("helios")); codeOf(err) != "53300" {
		t.Errorf("third client: %v", err)
	}
	a.Close(ctx)
	waitFor(t, func() bool { return metric(t, s, "helios_wire_connections") == 1 })
	connect(t, s.dsn("helios"), pgx.QueryExecModeExec)
}

// TestSlowStart ends clients that do not say who they are, or do it too slowly.
func TestSlowStart(t *testing.T) {
	s := start(t, wire.Options{AuthenticationTimeout: 150 * time.Millisecond})
	for _, first := range []string{"", "000000", "0000002000030000757365"} {
		r := dial(t, "tcp", s.addr)
		r.write(unhex(t, first))
		go func() {
			for range 20 { // a byte at a time buys no time
				time.Sleep(20 * time.Millisecond)
				r.nc.Write([]byte{'x'})
			}
		}()
		began := time.Now()
		if out := r.until("Z", 1); !strings.HasSuffix(out, "closed\n") || time.Since(began) > 2*time.Second {
			t.Errorf("%q after %v: %s", first, time.Since(began), out)
		}
	}
}

// TestEncryptionRequests are answered no, once each.
func TestEncryptionRequests(t *testing.T) {
	s := start(t, wire.Options{})
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for _, code := range []string{"04d2162f", "04d21630"} {
		if _, err := nc.Write(unhex(t, "00000008"+code)); err != nil {
			t.Fatal(err)
		}
		var b [1]byte
		if _, err := io.ReadFull(nc, b[:]); err != nil || b[0] != 'N' {
			t.Fatalf("%q, %v", b, err)
		}
	}
	r := &raw{t: t, nc: nc}
	r.startup(3<<16, "user", "x", "database", "helios")
	if out := r.until("ZE", 1); !strings.HasSuffix(out, "Z I\n") {
		t.Error(out)
	}
}

// TestShutdown tells idle clients, lets a statement finish, and cancels what goes on.
func TestShutdown(t *testing.T) {
	s := start(t, wire.Options{ShutdownGrace: 300 * time.Millisecond})
	c := connect(t, s.dsn("helios"), pgx.QueryExecModeExec)
	makeN(t, c)
	open := func() *raw {
		r := dial(t, "tcp", s.addr)
		r.startup(3<<16, "user", "x", "database", "helios")
		r.until("Z", 1)
		return r
	}
	idle, busy, copying, silent := open(), open(), open(), dial(t, "tcp", s.addr)
	busy.write(message(t, "Q "+endless))
	copying.write(message(t, "Q copy n from stdin"))
	copying.until("G", 1)
	time.Sleep(50 * time.Millisecond)
	began := time.Now()
	s.stop()
	const bye = "E S=FATAL, C=57P01, M=terminating connection due to administrator command"
	if out := idle.until("Z", 1); out != bye+"\nclosed\n" || time.Since(began) > 250*time.Millisecond {
		t.Errorf("idle, after %v: %s", time.Since(began), out)
	}
	for name, r := range map[string]*raw{"busy": busy, "copying": copying} {
		if out := r.until("Z", 1); !strings.Contains(out, bye) || !strings.HasSuffix(out, "closed\n") {
			t.Errorf("%s: %s", name, out)
		}
	}
	silent.until("Z", 1)
	s.done <- <-s.done
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("took %v", took)
	}
}

// TestSCRAM logs in with right and wrong passwords, by pgx and by psql.
func TestSCRAM(t *testing.T) {
	auth, err := wire.NewSCRAM(map[string]string{"alice": "sesame", "bob": "pässwörd Ⅸ"})
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, wire.Options{Auth: auth})
	_, port, _ := net.SplitHostPort(s.addr)
	psql, noPsql := exec.LookPath("psql")
	for _, tt := range []struct {
		user, password string
		ok             bool
	}{{"alice", "sesame", true}, {"bob", "pässwörd IX", true}, {"alice", "wrong", false}, {"nobody", "sesame", false}, {"alice", "", false}} {
		cfg, err := pgx.ParseConfig(s.dsn(tt.user))
		if err != nil {
			t.Fatal(err)
		}
		cfg.Password = tt.password
		c, err := pgx.ConnectConfig(context.Background(), cfg)
		if tt.ok {
			if err != nil {
				t.Errorf("%s: %v", tt.user, err)
				continue
			}
			mustExec(t, c, "select 1")
			c.Close(context.Background())
		} else if want := fmt.Sprintf("password authentication failed for user %q", tt.user); codeOf(err) != "28P01" || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", tt.user, err)
		}
		if noPsql != nil || tt.password == "" {
			continue
		}
		cmd := exec.Command(psql, "-X", "-At", "-h", "127.0.0.1", "-p", port, "-U", tt.user, "-d", "helios", "-c", "select 42")
		cmd.Env = append(os.Environ(), "PGPASSWORD="+tt.password)
		out, err := cmd.CombinedOutput()
		if tt.ok && (err != nil || string(out) != "42\n") || !tt.ok && (err == nil || !strings.Contains(string(out), "password authentication failed")) {
			t.Errorf("psql as %s: %v\n%s", tt.user, err, out)
		}
	}
	// A mechanism that was not offered.
	r := dial(t, "tcp", s.addr)
	r.startup(3<<16, "user", "alice", "database", "helios")
	r.write(msg('p', zstr("PLAIN"), u32(0)))
	if out := r.until("Z", 1); !strings.Contains(out, "C=08P01") {
		t.Error(out)
	}
}

// TestNoLeak leaves no goroutine behind.
func TestNoLeak(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("server", func(t *testing.T) {
		s := start(t, wire.Options{})
		for range 10 {
			c := connect(t, s.dsn("helios"), pgx.QueryExecModeCacheStatement)
			mustExec(t, c, "select 1")
		}
	})
	waitFor(t, func() bool { return runtime.NumGoroutine() <= before+1 })
}

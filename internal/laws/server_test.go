package laws

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/helios-sql/helios-sql/internal/heliostest"
)

var binaryDir string

// binary builds the program once per run of the tests.
var binary = sync.OnceValues(func() (path string, err error) {
	if binaryDir, err = os.MkdirTemp("", "helios-laws-"); err != nil {
		return "", err
	}
	return heliostest.Build(binaryDir)
})

func TestMain(m *testing.M) {
	code := m.Run()
	if binaryDir != "" {
		os.RemoveAll(binaryDir)
	}
	os.Exit(code)
}

// A server is the program, which can be killed and started again.
type server struct {
	*heliostest.Process
	t testing.TB
}

// newServer prepares a server with flags beside those of its directory and addresses.
func newServer(t testing.TB, args ...string) *server {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	p, err := heliostest.New("", path, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("end of the log:\n%s", p.LogTail(40))
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return &server{p, t}
}

// spawn starts the process without waiting for it to be ready.
func (s *server) spawn() {
	s.t.Helper()
	if err := s.Spawn(); err != nil {
		s.t.Fatal(err)
	}
}

// start starts the process and waits until it is ready.
func (s *server) start() {
	s.t.Helper()
	s.spawn()
	if err := s.ready(30 * time.Second); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) ready(within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return s.WaitReady(ctx)
}

// stop is the orderly end.
func (s *server) stop() {
	s.t.Helper()
	if err := s.Stop(); err != nil {
		s.t.Fatalf("stopping: %v\n%s", err, s.LogTail(20))
	}
}

// wait waits for a process that ends by itself and gives its error.
func (s *server) wait(within time.Duration) error {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	exit, err := s.Wait(ctx)
	if err != nil {
		s.t.Fatalf("the server goes on\n%s", s.LogTail(20))
	}
	return exit
}

func (s *server) dial() (*pgconn.PgConn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return pgconn.Connect(ctx, s.DSN())
}

// connect opens a connection that is closed when the test ends.
func (s *server) connect() *pgconn.PgConn {
	s.t.Helper()
	c, err := s.dial()
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// must runs a statement that has to succeed and gives its rows.
func must(t testing.TB, conn *pgconn.PgConn, sql string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	rows, err := ask(ctx, conn, sql)
	if err != nil {
		t.Fatalf("%.500s\n%v", sql, err)
	}
	return rows
}

// currentLSN is the end of PostgreSQL's log.
func currentLSN(t testing.TB, conn *pgconn.PgConn) string {
	t.Helper()
	return must(t, conn, "SELECT pg_current_wal_lsn()")[0]
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

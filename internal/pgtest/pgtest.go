// Package pgtest runs private PostgreSQL servers for tests and benchmarks: a
// cluster per server, copied from one initdb template, in a temporary
// directory, with logical decoding on. Servers stop when the test ends, and
// also when the test's process is killed.
//
// The server's programs are looked for in $HELIOS_PG_BIN, $PG_BIN, $PATH and
// /usr/lib/postgresql/*/bin, in this order.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helios-sql/helios-sql/internal/testport"
)

// Options say how a server is set up. The zero Options give a server for
// tests: wal_level logical, no fsync, ten slots and senders.
type Options struct {
	BinDir   string            // where postgres and initdb are; "": found as the package says
	Fsync    bool              // sync commits to disk, as benchmarks of real set-ups want
	Settings map[string]string // further settings of postgresql.conf; they win over ours
}

// An Option changes the Options of Start.
type Option func(*Options)

// Setting sets a parameter of postgresql.conf.
func Setting(name, value string) Option {
	return func(o *Options) {
		if o.Settings == nil {
			o.Settings = map[string]string{}
		}
		o.Settings[name] = value
	}
}

// Fsync makes commits durable on disk.
func Fsync() Option { return func(o *Options) { o.Fsync = true } }

// A Server is one running PostgreSQL server. Its superuser is postgres,
// without a password. Text order is collation C, the encoding UTF8.
type Server struct {
	Port   int    // of TCP, on 127.0.0.1
	Dir    string // holds data/, the Unix socket and log
	port   *testport.Port
	bin    string
	cred   *syscall.Credential
	owner  *os.File // locked while this process lives: see sweep
	proc   *supervised
	dbs    atomic.Int64
	pgVers string
}

// Start launches a server that stops when the test ends.
func Start(t testing.TB, opts ...Option) *Server {
	t.Helper()
	var o Options
	for _, f := range opts {
		f(&o)
	}
	s, err := Launch(o)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("end of the server's log:\n%s", s.LogTail(40))
		}
		s.Close()
	})
	return s
}

// Launch starts a server outside of a test; the caller closes it.
func Launch(o Options) (*Server, error) {
	bin := o.BinDir
	if bin == "" {
		var err error
		if bin, err = FindBin(); err != nil {
			return nil, err
		}
	}
	cred, err := unprivileged()
	if err != nil {
		return nil, err
	}
	sweep()
	s := &Server{bin: bin, cred: cred}
	template, version, err := template(bin, cred)
	if err != nil {
		return nil, err
	}
	s.pgVers = version
	if s.Dir, err = os.MkdirTemp("", dirPrefix); err != nil {
		return nil, err
	}
	if err := s.prepare(template, o); err != nil {
		s.Close()
		return nil, err
	}
	if err := s.Restart(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Server) prepare(template string, o Options) error {
	owner, err := os.OpenFile(filepath.Join(s.Dir, "owner"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	s.owner = owner
	if err := syscall.Flock(int(owner.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	if s.cred != nil {
		if err := os.Chown(s.Dir, int(s.cred.Uid), int(s.cred.Gid)); err != nil {
			return err
		}
	}
	data := filepath.Join(s.Dir, "data")
	if err := run(s.cred, "cp", "-R", "-p", template, data); err != nil {
		return err
	}
	port, err := testport.Claim()
	if err != nil {
		return err
	}
	s.port, s.Port = port, port.Number
	settings := map[string]string{
		"listen_addresses": "127.0.0.1", "port": strconv.Itoa(s.Port), "unix_socket_directories": s.Dir,
		"wal_level": "logical", "max_replication_slots": "10", "max_wal_senders": "10", "max_connections": "60",
		"fsync": "off", "shared_buffers": "64MB", "max_wal_size": "4GB", "autovacuum": "off",
		"timezone": "UTC", "log_timezone": "UTC", "lc_messages": "C", "log_min_messages": "warning",
	}
	if o.Fsync {
		settings["fsync"] = "on"
	}
	for k, v := range o.Settings {
		settings[k] = v
	}
	return s.Configure(settings)
}

// Configure appends settings to postgresql.conf. They take effect with
// Restart, or with a reload (SELECT pg_reload_conf()).
func (s *Server) Configure(settings map[string]string) error {
	f, err := os.OpenFile(filepath.Join(s.Dir, "data", "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	var b strings.Builder
	for k, v := range settings {
		fmt.Fprintf(&b, "%s = '%s'\n", k, strings.ReplaceAll(v, "'", "''"))
	}
	_, err = f.WriteString(b.String())
	return errors.Join(err, f.Close())
}

// WriteFile puts a file into the data directory, as the server's user owns it
// and nobody else may read it.
func (s *Server) WriteFile(name string, content []byte) error {
	path := filepath.Join(s.Dir, "data", name)
	if err := os.WriteFile(path, content, 0o600); err != nil || s.cred == nil {
		return err
	}
	return os.Chown(path, int(s.cred.Uid), int(s.cred.Gid))
}

// Version is the server's version, such as "15.14".
func (s *Server) Version() string { return s.pgVers }

// Major is the first number of the version.
func (s *Server) Major() int {
	n, _ := strconv.Atoi(strings.FieldsFunc(s.pgVers, func(r rune) bool { return r < '0' || r > '9' })[0])
	return n
}

// Bin gives the path of a program of the server's installation, such as psql.
func (s *Server) Bin(program string) string { return filepath.Join(s.bin, program) }

// DSN is the connection string of a database ("": postgres) through the Unix socket.
func (s *Server) DSN(db string) string { return s.DSNAs("postgres", db) }

// DSNAs is DSN for a user.
func (s *Server) DSNAs(user, db string) string {
	if db == "" {
		db = "postgres"
	}
	return fmt.Sprintf("postgres://%s@/%s?host=%s&port=%d&sslmode=disable", user, db, s.Dir, s.Port)
}

// TCP is the connection string of a database through TCP.
func (s *Server) TCP(db string) string {
	if db == "" {
		db = "postgres"
	}
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", s.Port, db)
}

// Connect opens a connection to a database; the caller closes it.
func (s *Server) Connect(ctx context.Context, db string) (*pgx.Conn, error) {
	return pgx.Connect(ctx, s.DSN(db))
}

// MustConnect opens a connection that is closed when the test ends.
func (s *Server) MustConnect(t testing.TB, db string) *pgx.Conn {
	t.Helper()
	c, err := s.Connect(context.Background(), db)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// Exec runs one or more statements, separated by semicolons, on a connection
// of its own.
func (s *Server) Exec(ctx context.Context, db, sql string) error {
	c, err := s.Connect(ctx, db)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	_, err = c.PgConn().Exec(ctx, sql).ReadAll()
	return err
}

// MustExec is Exec, and the test fails if it does.
func (s *Server) MustExec(t testing.TB, db, sql string) {
	t.Helper()
	if err := s.Exec(context.Background(), db, sql); err != nil {
		t.Fatalf("pgtest: %v\n%s", err, sql)
	}
}

// MustQuery gives the text of a query's first value; "" for NULL and for no row.
func (s *Server) MustQuery(t testing.TB, db, sql string) string {
	t.Helper()
	c, err := s.Connect(context.Background(), db)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	defer c.Close(context.Background())
	r, err := c.PgConn().Exec(context.Background(), sql).ReadAll()
	if err != nil {
		t.Fatalf("pgtest: %v\n%s", err, sql)
	}
	if last := r[len(r)-1].Rows; len(last) > 0 {
		return string(last[0][0])
	}
	return ""
}

// CreateDatabase makes a fresh, empty database, so that many tests can share
// a server, and gives its name.
func (s *Server) CreateDatabase(t testing.TB) string {
	t.Helper()
	db := fmt.Sprintf("test%d", s.dbs.Add(1))
	s.MustExec(t, "", "CREATE DATABASE "+db)
	return db
}

// LogTail gives the last n lines of the server's log.
func (s *Server) LogTail(n int) string {
	b, _ := os.ReadFile(filepath.Join(s.Dir, "log"))
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// Restart starts the server again, on the same port, and waits until it
// answers; one that still runs is stopped first.
func (s *Server) Restart() error {
	if err := s.Stop(); err != nil {
		return err
	}
	deadline := time.Now().Add(60 * time.Second)
	for {
		p, err := supervise(s.cred, s.Dir, s.Bin("postgres"), filepath.Join(s.Dir, "data"))
		if err != nil {
			return err
		}
		s.proc = p
		if err = s.waitReady(deadline); err == nil {
			return nil
		}
		_ = s.proc.stop(syscall.SIGQUIT) // err says why
		s.proc = nil
		// Backends of a killed server may hold its shared memory for a moment.
		if !strings.Contains(s.LogTail(5), "still in use") || time.Now().After(deadline) {
			return fmt.Errorf("starting PostgreSQL in %s: %w\n%s", s.Dir, err, s.LogTail(10))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (s *Server) waitReady(deadline time.Time) error {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		c, err := s.Connect(ctx, "")
		if err == nil {
			c.Close(ctx)
			cancel()
			return nil
		}
		cancel()
		if !s.proc.running() {
			return fmt.Errorf("the server ended: %w", err)
		}
		if time.Now().After(deadline) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Stop shuts the server down in order (fast mode): sessions are ended, a
// checkpoint is written.
func (s *Server) Stop() error { return s.stop(syscall.SIGINT) }

// StopImmediate ends the server without a checkpoint; the next start recovers
// from the log.
func (s *Server) StopImmediate() error { return s.stop(syscall.SIGQUIT) }

// Kill sends SIGKILL to the postmaster: a crash.
func (s *Server) Kill() error { return s.stop(syscall.SIGKILL) }

func (s *Server) stop(sig syscall.Signal) error {
	if s.proc == nil {
		return nil
	}
	err := s.proc.stop(sig)
	s.proc = nil
	return err
}

// Close stops the server and removes its directory.
func (s *Server) Close() error {
	err := s.StopImmediate()
	err = errors.Join(err, s.port.Release(), os.RemoveAll(s.Dir))
	s.owner.Close()
	return err
}

package laws

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

var binaryDir string

// binary builds the program once per run of the tests.
var binary = sync.OnceValues(func() (path string, err error) {
	if binaryDir, err = os.MkdirTemp("", "helios-laws-"); err != nil {
		return "", err
	}
	path = filepath.Join(binaryDir, "helios-sql")
	out, err := exec.Command("go", "build", "-o", path, "github.com/helios-sql/helios-sql/cmd/helios-sql").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if binaryDir != "" {
		os.RemoveAll(binaryDir)
	}
	os.Exit(code)
}

// A server is the program, run over a directory; it can be killed and started
// again there.
type server struct {
	t    testing.TB
	dir  string
	args []string
	addr string
	log  string // file

	cmd   *exec.Cmd
	ended chan error
}

// newServer prepares a server with flags beside those of its directory and addresses.
func newServer(t testing.TB, args ...string) *server {
	t.Helper()
	if _, err := binary(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := &server{t: t, dir: filepath.Join(dir, "data"), log: filepath.Join(dir, "log"), args: args}
	s.addr = freeAddr(t)
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("end of the log:\n%s", s.logTail(40))
		}
	})
	return s
}

// freeAddr finds a port below those that the system gives to connections: it
// stays free while the server is down.
func freeAddr(t testing.TB) string {
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", 12000+rand.IntN(18000))
		if l, err := net.Listen("tcp", addr); err == nil {
			l.Close()
			return addr
		}
	}
	t.Fatal("no free port")
	return ""
}

// spawn starts the process without waiting for it to answer.
func (s *server) spawn() {
	s.t.Helper()
	path, err := binary()
	if err != nil {
		s.t.Fatal(err)
	}
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.cmd = exec.Command(path, append([]string{"serve", "--listen", s.addr, "--http", "", "--data-dir", s.dir}, s.args...)...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = procAttr()
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.ended = make(chan error, 1)
	go func(cmd *exec.Cmd, ended chan error) {
		ended <- cmd.Wait()
		close(ended)
	}(s.cmd, s.ended)
}

// start starts the process and waits until it answers.
func (s *server) start() {
	s.t.Helper()
	s.spawn()
	if err := s.ready(30 * time.Second); err != nil {
		s.t.Fatalf("%v\n%s", err, s.logTail(20))
	}
}

func (s *server) ready(within time.Duration) error {
	for deadline := time.Now().Add(within); ; time.Sleep(5 * time.Millisecond) {
		c, err := s.dial()
		if err == nil {
			c.Close(context.Background())
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("the server ended: %v", err)
		default:
		}
		if time.Now().After(deadline) {
			return err
		}
	}
}

func (s *server) dial() (*pgconn.PgConn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return pgconn.Connect(ctx, "postgres://helios@"+s.addr+"/helios?sslmode=disable")
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

// kill is kill -9. A process that is not there is no error.
func (s *server) kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // it may have ended by itself
	<-s.ended
	s.cmd = nil
}

// stop is the orderly end.
func (s *server) stop() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	select {
	case err := <-s.ended:
		if err != nil {
			s.t.Fatalf("stopping: %v\n%s", err, s.logTail(20))
		}
	case <-time.After(30 * time.Second):
		s.t.Fatalf("the server does not stop\n%s", s.logTail(20))
	}
	s.cmd = nil
}

// wait waits for a process that ends by itself and gives its error.
func (s *server) wait(within time.Duration) error {
	s.t.Helper()
	select {
	case err := <-s.ended:
		s.cmd = nil
		return err
	case <-time.After(within):
		s.t.Fatalf("the server goes on\n%s", s.logTail(20))
		return nil
	}
}

func (s *server) logTail(n int) string {
	b, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
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

// Package heliostest runs helios-sql as a process of its own, for tests, the
// demo and benchmarks: on free ports of the loopback, over a data directory that
// outlives the process, so that it can be killed and started again.
package heliostest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helios-sql/helios-sql/internal/testport"
)

// A Process is one helios-sql. Start and Kill may take turns any number of times.
type Process struct {
	Dir        string // removed by Close
	Data       string // its data directory; below Dir to begin with
	Port, HTTP int    // on 127.0.0.1
	Args       []string
	ports      [2]*testport.Port
	binary     string
	cmd        *exec.Cmd
	ended      chan struct{}
	exit       error // once ended
}

// Build compiles the program into a directory, which TestMain makes and removes.
func Build(dir string) (binary string, err error) {
	binary = filepath.Join(dir, "helios-sql")
	out, err := exec.Command("go", "build", "-o", binary, "github.com/helios-sql/helios-sql/cmd/helios-sql").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building helios-sql: %w\n%s", err, out)
	}
	return binary, nil
}

// Start runs the binary with further arguments of serve, waits until it is ready,
// and stops it when the test ends.
func Start(t testing.TB, binary string, args ...string) *Process {
	t.Helper()
	p, err := New("", binary, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("end of helios-sql's log:\n%s", p.LogTail(40))
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

// New chooses ports and makes a directory in another one ("": the system's for
// temporary files); nothing runs yet.
func New(in, binary string, args ...string) (*Process, error) {
	dir, err := os.MkdirTemp(in, "helios-sql-")
	if err != nil {
		return nil, err
	}
	p := &Process{Dir: dir, Data: filepath.Join(dir, "data"), Args: args, binary: binary}
	for i, at := range []*int{&p.Port, &p.HTTP} {
		if p.ports[i], err = testport.Claim(); err != nil {
			return nil, errors.Join(err, p.Close())
		}
		*at = p.ports[i].Number
	}
	return p, nil
}

// CommandLine is what Start runs.
func (p *Process) CommandLine() []string {
	return append([]string{p.binary, "serve", "--listen", fmt.Sprintf("127.0.0.1:%d", p.Port), "--http", fmt.Sprintf("127.0.0.1:%d", p.HTTP),
		"--data-dir", p.Data}, p.Args...)
}

// Start runs the program and waits until it is ready.
func (p *Process) Start(ctx context.Context) error {
	if err := p.Spawn(); err != nil {
		return err
	}
	return p.WaitReady(ctx)
}

// Spawn runs the program and waits for nothing.
func (p *Process) Spawn() error {
	log, err := os.OpenFile(p.Log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	args := p.CommandLine()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr, cmd.Stdout = log, log
	cmd.SysProcAttr = procAttr()
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	p.cmd, p.ended = cmd, ended
	go func() {
		p.exit = cmd.Wait()
		close(ended)
	}()
	return nil
}

// WaitReady waits until the program is ready, and fails when it ends.
func (p *Process) WaitReady(ctx context.Context) error {
	for {
		if p.Ready(ctx) {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-p.ended:
			return fmt.Errorf("helios-sql ended:\n%s", p.LogTail(20))
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Wait waits for a process that ends by itself and gives its error.
func (p *Process) Wait(ctx context.Context) (exit, err error) {
	select {
	case <-p.ended:
		p.cmd = nil
		return p.exit, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Ready says whether /readyz answers 200.
func (p *Process) Ready(ctx context.Context) bool {
	code, _, err := p.Get(ctx, "/readyz")
	return err == nil && code == http.StatusOK
}

// Get asks the HTTP listener.
func (p *Process) Get(ctx context.Context, path string) (code int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", p.HTTP, path), nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// PID is the running process's; 0 if none runs.
func (p *Process) PID() int {
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// Kill ends the process as a crash would.
func (p *Process) Kill() { _ = p.end(syscall.SIGKILL) } // its error is the signal

// Running says whether there is a process that was not ended from here.
func (p *Process) Running() bool { return p.cmd != nil }

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Stop ends it in order and gives its error.
func (p *Process) Stop() error { return p.end(syscall.SIGTERM) }

func (p *Process) end(sig syscall.Signal) error {
	if p.cmd == nil {
		return nil
	}
	_ = p.cmd.Process.Signal(sig) // it may have ended by itself
	var late error
	select {
	case <-p.ended:
	case <-time.After(30 * time.Second):
		late = errors.New("helios-sql did not stop")
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	p.cmd = nil
	return errors.Join(late, p.exit)
}

// Close stops the process and removes its directory.
func (p *Process) Close() error {
	err := p.Stop()
	for _, port := range p.ports {
		err = errors.Join(err, port.Release())
	}
	return errors.Join(err, os.RemoveAll(p.Dir))
}

// Log is the file that the process writes what it says to.
func (p *Process) Log() string { return filepath.Join(p.Dir, "log") }

// LogTail gives the last n lines of the log.
func (p *Process) LogTail(n int) string {
	b, _ := os.ReadFile(p.Log())
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// DSN is the connection string for drivers.
func (p *Process) DSN() string {
	return fmt.Sprintf("postgres://helios@127.0.0.1:%d/helios?sslmode=disable", p.Port)
}

// Connect opens a connection; the caller closes it.
func (p *Process) Connect(ctx context.Context) (*pgx.Conn, error) { return pgx.Connect(ctx, p.DSN()) }

// Psql makes a psql command against the process that reads no start-up file and never pages.
func (p *Process) Psql(ctx context.Context, args ...string) *exec.Cmd {
	return Psql(ctx, p.Port, "helios", "helios", args...)
}

// Psql makes a psql command against a server on the loopback.
func Psql(ctx context.Context, port int, user, db string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "psql", append([]string{"-X", "-P", "pager=off", "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-U", user, "-d", db}, args...)...)
	cmd.Env = append(os.Environ(), "PGCONNECT_TIMEOUT=10", "LC_ALL=C.UTF-8", "PGTZ=UTC")
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

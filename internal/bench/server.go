package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// A server is helios-sql as a process with a data directory of its own.
type server struct {
	binary, memory string
	dir            string
	port, http     int
	cmd            *exec.Cmd
	ended          chan struct{}
	from           int64 // where the log of this start begins
	began          time.Time
}

func newServer(binary, memory, dir string) (*server, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	s := &server{binary: binary, memory: memory, dir: dir}
	for _, at := range []*int{&s.port, &s.http} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		*at = l.Addr().(*net.TCPAddr).Port
	}
	return s, nil
}

func (s *server) data() string { return filepath.Join(s.dir, "data") }
func (s *server) log() string  { return filepath.Join(s.dir, "log") }

// start runs the program and does not wait for anything.
func (s *server) start() error {
	log, err := os.OpenFile(s.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	if s.from, err = log.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	s.cmd = exec.Command(s.binary, "serve", "--listen", fmt.Sprintf("127.0.0.1:%d", s.port), "--http", fmt.Sprintf("127.0.0.1:%d", s.http),
		"--data-dir", s.data(), "--memory", s.memory, "--log-format", "json")
	s.cmd.Stderr, s.cmd.Stdout = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the benchmark, which ends it in order
	s.began = time.Now()
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return err
	}
	s.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		_ = cmd.Wait() // how it ended stands in its log
		close(ended)
	}(s.cmd, s.ended)
	return nil
}

// stop ends the process in order.
func (s *server) stop() { s.signal(syscall.SIGTERM) }

func (s *server) signal(sig syscall.Signal) {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(sig) // it may have ended
	select {
	case <-s.ended:
	case <-time.After(20 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
	s.cmd = nil
}

// clear removes the state of a process that is stopped.
func (s *server) clear() error { return os.RemoveAll(s.data()) }

// connect waits until the process takes connections.
func (s *server) connect(ctx context.Context) (*pgx.Conn, error) {
	for {
		conn, err := pgx.Connect(ctx, s.dsn())
		if err == nil {
			return conn, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-s.ended:
			return nil, fmt.Errorf("helios-sql ended: %w\n%s", err, s.logTail())
		case <-time.After(time.Millisecond):
		}
	}
}

func (s *server) dsn() string {
	return fmt.Sprintf("postgres://helios@127.0.0.1:%d/helios?sslmode=disable", s.port)
}

// exec runs statements one by one.
func (s *server) exec(ctx context.Context, statements ...string) error {
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, sql := range statements {
		if _, err := conn.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
			return fmt.Errorf("%s: %w\n%s", sql, err, s.logTail())
		}
	}
	return nil
}

func (s *server) logTail() string {
	b, _ := os.ReadFile(s.log())
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

// An event is what we look for in the log.
type event struct {
	Time  time.Time `json:"time"`
	Msg   string    `json:"msg"`
	State string    `json:"state"`
	Error string    `json:"error"`
}

// logged waits for an event of this start, and gives its time.
func (s *server) logged(ctx context.Context, msg, state string) (time.Time, error) {
	for {
		data, err := os.ReadFile(s.log())
		if err != nil {
			return time.Time{}, err
		}
		lines := bufio.NewScanner(bytes.NewReader(data[s.from:]))
		for lines.Scan() {
			var e event
			if json.Unmarshal(lines.Bytes(), &e) != nil {
				continue // the process's last words, such as a stack trace
			}
			if e.Msg == msg && e.State == state {
				return e.Time, nil
			}
			if e.Msg == "source failed" {
				return time.Time{}, errors.New("source failed: " + e.Error)
			}
		}
		select {
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		case <-s.ended:
			return time.Time{}, fmt.Errorf("helios-sql ended\n%s", s.logTail())
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// cpu is the CPU time that the process has used.
func (s *server) cpu() (time.Duration, error) { return cpuOf(s.cmd.Process.Pid) }

func cpuOf(pid int) (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The command's name, in parentheses, may hold anything.
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	var total int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return time.Duration(total) * time.Second / 100, nil
}

// peakRSS is the most memory the process has had, in bytes.
func (s *server) peakRSS() int64 { return peakRSS(s.cmd.Process.Pid) }

func peakRSS(pid int) int64 {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(data)) {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(v), "kB")), 10, 64)
			return kb << 10
		}
	}
	return 0
}

// profile writes a CPU profile of the next seconds to a file; the returned
// function waits for it.
func (s *server) profile(ctx context.Context, path string, d time.Duration) (wait func() error) {
	done := make(chan error, 1)
	go func() {
		done <- func() error {
			url := fmt.Sprintf("http://127.0.0.1:%d/debug/pprof/profile?seconds=%d", s.http, int(d.Seconds()))
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
			if err != nil {
				return err
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			f, err := os.Create(path)
			if err != nil {
				return err
			}
			_, err = io.Copy(f, resp.Body)
			return errors.Join(err, f.Close())
		}()
	}()
	return func() error { return <-done }
}

// profileTo is profile, if there shall be any.
func (b *bench) profileTo(ctx context.Context, file string, d time.Duration) (wait func() error) {
	if b.profile == "" {
		return func() error { return nil }
	}
	return b.srv.profile(ctx, filepath.Join(b.profile, file), d)
}

// copyDir copies a directory of plain files.
func copyDir(from, to string) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	return os.CopyFS(to, os.DirFS(from))
}

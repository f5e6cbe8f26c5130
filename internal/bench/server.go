package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helios-sql/helios-sql/internal/heliostest"
)

// A server is helios-sql as a process with a data directory of its own.
type server struct {
	*heliostest.Process
	from  int64 // where the log of this start begins
	began time.Time
}

func newServer(binary, memory, dir string) (*server, error) {
	p, err := heliostest.New(dir, binary, "--memory", memory, "--log-format", "json")
	return &server{Process: p}, err
}

// start runs the program and does not wait for anything.
func (s *server) start() error {
	s.from = 0
	if info, err := os.Stat(s.Log()); err == nil {
		s.from = info.Size()
	}
	s.began = time.Now()
	return s.Spawn()
}

// stop ends the process in order. How it ended stands in its log.
func (s *server) stop() { _ = s.Stop() }

// clear removes the state of a process that is stopped.
func (s *server) clear() error { return os.RemoveAll(s.Data) }

// connect waits until the process takes connections.
func (s *server) connect(ctx context.Context) (*pgx.Conn, error) {
	for {
		conn, err := pgx.Connect(ctx, s.DSN())
		if err == nil {
			return conn, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-s.Ended():
			return nil, fmt.Errorf("helios-sql ended: %w\n%s", err, s.LogTail(20))
		case <-time.After(time.Millisecond):
		}
	}
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
			return fmt.Errorf("%s: %w\n%s", sql, err, s.LogTail(20))
		}
	}
	return nil
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
		data, err := os.ReadFile(s.Log())
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
		case <-s.Ended():
			return time.Time{}, fmt.Errorf("helios-sql ended\n%s", s.LogTail(20))
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// cpu is the CPU time that the process has used.
func (s *server) cpu() (time.Duration, error) { return cpuOf(s.PID()) }

// settle waits until helios-sql is idle: what loading has left to be compacted
// is no part of what comes then.
func (s *server) settle(ctx context.Context) error {
	const every = 500 * time.Millisecond
	last := -every
	for range 240 {
		used, err := s.cpu()
		if err != nil || used-last < every/20 {
			return err
		}
		last = used
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
	return errors.New("helios-sql does not come to rest")
}

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
func (s *server) peakRSS() int64 { return peakRSS(s.PID()) }

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
			url := fmt.Sprintf("http://127.0.0.1:%d/debug/pprof/profile?seconds=%d", s.HTTP, int(d.Seconds()))
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

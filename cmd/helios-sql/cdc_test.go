package main

import (
	"bufio"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/helios-sql/helios-sql/internal/pgtest"
)

// The built binary prints a snapshot and ends, follows with a temporary slot,
// and goes on from a checkpoint with a lasting one.
func TestCDC(t *testing.T) {
	srv := pgtest.Start(t)
	srv.MustExec(t, "", `CREATE TABLE users (id int PRIMARY KEY, name text, n numeric, j jsonb, f float8);
		INSERT INTO users VALUES (1, 'Ada "L."', 1.50, '{"a": [1]}', 'NaN'), (2, NULL, NULL, NULL, NULL)`)
	binary := filepath.Join(t.TempDir(), "helios-sql")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	once := func(args ...string) ([]string, string) {
		t.Helper()
		cmd := exec.Command(binary, append([]string{"cdc", "--connection", srv.DSN("")}, args...)...)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, stderr.String()
		}
		return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n"), stderr.String()
	}
	lines, stderr := once("--tables", "public.users")
	if len(lines) != 2 || stderr != "" {
		t.Fatalf("%q, %s", lines, stderr)
	}
	var e struct {
		Type, Table, LSN string
		After            json.RawMessage
	}
	if err := json.Unmarshal([]byte(lines[0]), &e); err != nil || e.Type != "read" || e.Table != "public.users" || string(e.After) != `{"id":1,"name":"Ada \"L.\"","n":1.50,"j":{"a": [1]},"f":"NaN"}` {
		t.Fatalf("%s: %v", lines[0], err)
	}
	if lines, _ = once("--tables", "users (id, name)", "--format", "table"); len(lines) != 2 || !strings.HasSuffix(lines[0], `read     public.users id="1" name="Ada \"L.\""`) {
		t.Fatalf("%q", lines)
	}
	if lines, _ = once("--format", "debezium", "--tables", "users(id)", "--name", "shop"); len(lines) != 2 || !strings.HasPrefix(lines[0], `{"before":null,"after":{"id":1},"source":{"version":`) || !strings.Contains(lines[0], `"db":"postgres"`) {
		t.Fatalf("%q", lines)
	}
	for _, bad := range [][]string{{"--format", "xml"}, {"--slot", "s"}, {"--follow", "--slot", "s"}, {"--tables", "a.b.c"}, {"--tables", "nosuch"}, {"--connection", "postgres://u:geheim@127.0.0.1:1/x"}} {
		if lines, stderr := once(bad...); lines != nil || !strings.HasPrefix(stderr, "helios-sql: ") || strings.Contains(stderr, "geheim") {
			t.Errorf("%v: %q, %s", bad, lines, stderr)
		}
	}

	// follow gives a running command's lines, and ends it by a signal.
	follow := func(n int, sql string, args ...string) []string {
		t.Helper()
		cmd := exec.Command(binary, append([]string{"cdc", "--follow", "--connection", srv.DSN(""), "--tables", "users", "--format", "table"}, args...)...)
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill := time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() })
		defer kill.Stop()
		var got []string
		sc := bufio.NewScanner(stdout)
		written := false
		for len(got) < n && sc.Scan() {
			_, line, _ := strings.Cut(sc.Text(), " ")
			got = append(got, strings.Join(strings.Fields(line)[:3], " "))
			if !written && sql != "" {
				srv.MustExec(t, "", sql)
				written = true
			}
		}
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Fatalf("the command ended with %v after %q", err, got)
		}
		return got
	}
	want := []string{`read public.users id="1"`, `read public.users id="2"`, `create public.users id="3"`}
	if got := follow(3, "INSERT INTO users VALUES (3)"); !reflect.DeepEqual(got, want) {
		t.Fatalf("%q", got)
	}
	conn := srv.MustConnect(t, "")
	var left int
	if err := conn.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM pg_replication_slots) + (SELECT count(*) FROM pg_publication)").Scan(&left); err != nil || left != 0 {
		t.Fatalf("%d slots and publications left behind, %v", left, err)
	}
	lasting := []string{"--slot", "keep", "--checkpoint", filepath.Join(t.TempDir(), "position")}
	if got := follow(4, "INSERT INTO users VALUES (4)", lasting...); len(got) != 4 || got[3] != `create public.users id="4"` {
		t.Fatalf("%q", got)
	}
	srv.MustExec(t, "", "INSERT INTO users VALUES (5)")
	if got := follow(1, "", lasting...); !reflect.DeepEqual(got, []string{`create public.users id="5"`}) {
		t.Fatalf("%q", got)
	}
}

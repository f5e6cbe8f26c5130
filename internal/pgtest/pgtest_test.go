package pgtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestServer(t *testing.T) {
	ctx := context.Background()
	s := Start(t, Setting("work_mem", "5MB"))
	db := s.CreateDatabase(t)
	s.MustExec(t, db, "CREATE TABLE t (a int); INSERT INTO t VALUES (1); CHECKPOINT; INSERT INTO t VALUES (2)")
	check := func() {
		t.Helper()
		c := s.MustConnect(t, db)
		defer c.Close(ctx)
		var n int
		var wal, mem string
		err := c.QueryRow(ctx, "SELECT count(*), current_setting('wal_level'), current_setting('work_mem') FROM t").Scan(&n, &wal, &mem)
		if err != nil || n != 2 || wal != "logical" || mem != "5MB" {
			t.Fatalf("got %d %s %s, %v", n, wal, mem, err)
		}
	}
	check()
	for _, stop := range []func() error{s.Kill, s.Stop, s.StopImmediate} {
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if c, err := s.Connect(ctx, db); err == nil {
			c.Close(ctx)
			t.Fatal("the server still answers")
		}
		if err := s.Restart(); err != nil {
			t.Fatal(err)
		}
		check()
	}
}

// A test's process that is killed leaves neither a server nor a directory.
func TestKilledOwner(t *testing.T) {
	if os.Getenv("PGTEST_CHILD") != "" {
		s := Start(t)
		fmt.Printf("\nserver %s\n", s.Dir)
		time.Sleep(time.Hour)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledOwner$")
	cmd.Env = append(os.Environ(), "PGTEST_CHILD=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dir := ""
	for r := bufio.NewScanner(out); dir == "" && r.Scan(); {
		dir, _ = strings.CutPrefix(r.Text(), "server ")
		if !strings.HasPrefix(r.Text(), "server ") {
			dir = ""
		}
	}
	cmd.Process.Kill()
	cmd.Wait()
	if dir == "" {
		t.Fatal("the child started no server")
	}
	for range 200 {
		if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s is still there", dir)
}

package laws

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/helios-sql/helios-sql/internal/pgtest"
)

var (
	boundRows   = flag.Int("bound.rows", 100_000, "rows of the bound test's large transactions")
	boundMemory = flag.Int("bound.memory", 64, "memory budget of the bound test, MB")
)

// overheadMB is what the process may take beyond its budget (--memory): the
// program itself, the runtime, and what the tick at hand and its connections hold.
const overheadMB = 256

// TestBound runs transactions of many rows into views whose state is much
// larger than the memory budget, builds another view over that, lets a client read
// slowly, and holds the process's peak against the budget.
func TestBound(t *testing.T) {
	pg := pgtest.Start(t, streaming)
	db := pg.CreateDatabase(t)
	c := pg.MustConnect(t, db).PgConn()
	must(t, c, `CREATE TABLE users (id int PRIMARY KEY, country text);
		CREATE TABLE orders (id bigint PRIMARY KEY, user_id int, amount numeric(12,2), status text, note text, created_at timestamp);
		INSERT INTO users SELECT i, 'c' || i % 30 FROM generate_series(1, 5000) i`)
	s := newServer(t, "--memory", fmt.Sprintf("%dMB", *boundMemory))
	s.start()
	h := s.connect()
	must(t, h, fmt.Sprintf("CREATE SOURCE shop FROM CDC CONNECTION %s ALL TABLES", quote(pg.DSN(db))))
	must(t, h, `CREATE MATERIALIZED VIEW revenue AS SELECT u.country, count(*) AS orders, sum(o.amount) AS total, max(o.created_at) AS latest
		FROM orders o JOIN users u ON u.id = o.user_id WHERE o.status <> 'cancelled' GROUP BY u.country`)
	must(t, h, `CREATE MATERIALIZED VIEW large AS SELECT o.id, u.country, max(o.note) AS note, sum(o.amount) AS total
		FROM orders o JOIN users u ON u.id = o.user_id GROUP BY o.id, u.country`)
	peak := func(what string, began time.Time) {
		t.Helper()
		t.Logf("%-28s %6s  peak RSS %4d MB, state %4d MB", what, time.Since(began).Round(100*time.Millisecond), s.peakMB(), s.stateMB())
	}
	peak("start", time.Now())
	run := func(what, sql string) {
		t.Helper()
		began := time.Now()
		must(t, c, sql)
		must(t, h, "SET helios.min_lsn = '"+currentLSN(t, c)+"'; SELECT count(*) FROM revenue")
		peak(what, began)
	}
	n := *boundRows
	run("one INSERT", fmt.Sprintf(`INSERT INTO orders SELECT i, 1 + i %% 5000, i %% 1000, CASE i %% 9 WHEN 0 THEN 'cancelled' ELSE 'paid' END,
		md5(i::text) || md5((i + 1)::text) || repeat('x', i %% 200), timestamp '2024-01-01' + i * interval '1 second' FROM generate_series(1, %d) i`, n))
	run("one UPDATE", "UPDATE orders SET amount = amount + 1, note = note || 'y'")
	began := time.Now()
	must(t, h, `CREATE MATERIALIZED VIEW late AS SELECT o.id, o.note, u.country FROM orders o LEFT JOIN users u ON u.id = o.user_id`)
	peak("a new view over it", began)
	slow := slowReader(t, s)
	run("UPDATE with a slow client", "UPDATE orders SET status = 'sent' WHERE id % 3 = 0")
	slow.Close()
	for _, q := range []string{"SELECT u.country, count(*) AS orders, sum(o.amount) AS total, max(o.created_at) AS latest FROM orders o JOIN users u ON u.id = o.user_id WHERE o.status <> 'cancelled' GROUP BY u.country"} {
		if d := differ(must(t, h, "SELECT * FROM revenue"), must(t, c, q)); d != "" {
			t.Errorf("revenue\n%s", d)
		}
	}
	if got, want := must(t, h, "SELECT count(*), sum(total), max(note) FROM large"), must(t, c, "SELECT count(*), sum(amount), max(note) FROM orders"); differ(got, want) != "" {
		t.Errorf("large: %q, not %q", got, want)
	}
	run("one DELETE", "DELETE FROM orders WHERE id % 2 = 0")
	began = time.Now()
	s.stop()
	s.start()
	h = s.connect()
	must(t, h, "SELECT * FROM revenue")
	t.Logf("restart to the first answer: %v, RSS %d MB", time.Since(began).Round(time.Millisecond), s.peakMB())
}

// slowReader asks for a large result and reads nothing of it.
func slowReader(t *testing.T, s *server) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.Port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	f := pgproto3.NewFrontend(conn, conn)
	f.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersionNumber, Parameters: map[string]string{"user": "slow", "database": "helios"}})
	f.Send(&pgproto3.Query{String: "SELECT * FROM large; SELECT * FROM orders"})
	if err := f.Flush(); err != nil {
		t.Fatal(err)
	}
	return conn
}

// peakMB is the highest resident memory of the process so far (where the
// system does not tell, the present one); the test fails when it exceeds the bound.
func (s *server) peakMB() int {
	s.t.Helper()
	mb := residentMB(s.t, s.PID())
	if mb > *boundMemory+overheadMB {
		s.t.Errorf("resident memory reached %d MB; the bound is %d + %d MB", mb, *boundMemory, overheadMB)
	}
	return mb
}

func residentMB(t testing.TB, pid int) int {
	t.Helper()
	kb := ""
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); err == nil {
		for line := range strings.Lines(string(b)) {
			if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				kb = strings.TrimSuffix(strings.TrimSpace(v), " kB")
			}
		}
	} else if b, err := exec.Command("ps", "-o", "rss=", "-p", strconv.Itoa(pid)).Output(); err == nil {
		kb = strings.TrimSpace(string(b))
	}
	n, err := strconv.Atoi(kb)
	if err != nil {
		t.Fatalf("resident memory of process %d: %v", pid, err)
	}
	return n / 1024
}

// stateMB is the size of the data directory.
func (s *server) stateMB() int {
	var size int64
	_ = filepath.WalkDir(s.Data, func(_ string, d os.DirEntry, err error) error {
		if err == nil {
			if info, err := d.Info(); err == nil {
				size += info.Size()
			}
		}
		return nil // files come and go
	})
	return int(size >> 20)
}

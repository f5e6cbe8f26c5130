package laws

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/helios-sql/helios-sql/internal/pgtest"
)

// refused runs a statement that must fail with an SQLSTATE, and its message
// or hint must hold the words.
func refused(t *testing.T, h *pgconn.PgConn, sql, code string, words ...string) *pgconn.PgError {
	t.Helper()
	_, err := ask(context.Background(), h, sql)
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		t.Fatalf("%s\ngives %v, not an error %s", sql, err, code)
	}
	if e.Code != code {
		t.Errorf("%s\ngives %s %s, not %s", sql, e.Code, e.Message, code)
	}
	for _, w := range words {
		if !strings.Contains(e.Message+"\n"+e.Detail+"\n"+e.Hint, w) {
			t.Errorf("%s\n%s: %s\nHINT: %s\ndoes not mention %q", sql, e.Code, e.Message, e.Hint, w)
		}
	}
	return e
}

// eventually waits until a query gives a row that holds the words.
func eventually(t *testing.T, h *pgconn.PgConn, sql string, words ...string) {
	t.Helper()
	var rows []string
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		rows = must(t, h, sql)
		if slices.ContainsFunc(rows, func(r string) bool {
			return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(r, w) })
		}) {
			return
		}
	}
	t.Fatalf("%s\nstays %q; expected %q", sql, rows, words)
}

// TestBadInput gives the program what it cannot use. Each is refused with the
// SQLSTATE and the words that tell what to change, and all else goes on.
func TestBadInput(t *testing.T) {
	pg := pgtest.Start(t)
	db := pg.CreateDatabase(t)
	c := pg.MustConnect(t, db).PgConn()
	must(t, c, `CREATE TABLE good (id int PRIMARY KEY, n int, d int);
		INSERT INTO good VALUES (1, 10, 2), (2, 20, 5);
		CREATE TABLE keyless (a int, b text);
		CREATE TABLE whole (a int, b text);
		ALTER TABLE whole REPLICA IDENTITY FULL;
		INSERT INTO whole VALUES (1, 'x'), (1, 'x'), (2, NULL);
		CREATE ROLE plain LOGIN;
		CREATE ROLE replicator LOGIN REPLICATION`)
	s := newServer(t, "--memory", "64MB", "--checkpoint-interval", "50ms")
	s.start()
	h := s.connect()
	from := func(dsn, tables string) string {
		return fmt.Sprintf("CREATE SOURCE bad FROM CDC CONNECTION %s %s", quote(dsn), tables)
	}
	must(t, h, "CREATE SOURCE src FROM CDC CONNECTION "+quote(pg.DSN(db))+" TABLES (good, whole)")
	must(t, h, "CREATE MATERIALIZED VIEW ok AS SELECT count(*) AS n, sum(n) AS s FROM good")
	goesOn := func(t *testing.T) {
		t.Helper()
		must(t, c, "UPDATE good SET n = n + 1 WHERE id = 2")
		must(t, h, "SET helios.min_lsn = '"+currentLSN(t, c)+"'")
		if d := differ(must(t, h, "SELECT * FROM ok"), must(t, c, "SELECT count(*), sum(n) FROM good")); d != "" {
			t.Errorf("the other source's view\n%s", d)
		}
		if rows := must(t, h, "SELECT name FROM helios.sources"); len(rows) != 1 {
			t.Errorf("a source that was refused is there: %q", rows)
		}
	}

	t.Run("source", func(t *testing.T) {
		dsn := pg.DSN(db)
		refused(t, h, from("postgres://postgres@127.0.0.1:1/x?connect_timeout=2", "ALL TABLES"), "08006", "127.0.0.1")
		refused(t, h, from(pg.DSN("nowhere"), "ALL TABLES"), "3D000", "nowhere")
		refused(t, h, from("postgres://%zz", "ALL TABLES"), "22023", "connection string")
		refused(t, h, from(dsn, "TABLES (missing)"), "42P01", "missing")
		refused(t, h, from(dsn, "TABLES (keyless)"), "55000", "keyless", "REPLICA IDENTITY")
		refused(t, h, from(dsn, "TABLES (good AS good2) WITH (slot_nam = 'x')"), "22023", "slot_nam", "slot_name")
		refused(t, h, from(dsn, "TABLES (good AS good2) WITH (slot_name = 'No Good')"), "22023", "No Good")
		refused(t, h, from(dsn, "TABLES (good AS good2) WITH (poll_interval = 'soon')"), "22023", "poll_interval", "soon")
		refused(t, h, from(dsn, "TABLES (good)"), "42P07", "good")
		refused(t, h, from(pg.DSNAs("plain", db), "TABLES (good AS good2)"), "42501", "plain", "REPLICATION")
		refused(t, h, from(pg.DSNAs("replicator", db), "TABLES (good AS good2)"), "42501", "good")
		refused(t, h, "CREATE SOURCE bad FROM kafka CONNECTION 'x' ALL TABLES", "0A000", "kafka")
		refused(t, h, "DROP SOURCE nothere", "42704", "nothere")
		goesOn(t)
	})
	t.Run("wal_level", func(t *testing.T) {
		low := pgtest.Start(t, pgtest.Setting("wal_level", "replica"))
		low.MustExec(t, "", "CREATE TABLE t (id int PRIMARY KEY)")
		refused(t, h, from(low.DSN(""), "TABLES (t)"), "55000", "wal_level", "logical", "ALTER SYSTEM")
		goesOn(t)
	})
	t.Run("key", func(t *testing.T) {
		// Without a key, but with its whole old rows: they are counted.
		compare := func() {
			t.Helper()
			must(t, h, "SET helios.min_lsn = '"+currentLSN(t, c)+"'")
			if d := differ(must(t, h, "SELECT * FROM whole"), must(t, c, "SELECT * FROM whole")); d != "" {
				t.Errorf("whole\n%s", d)
			}
		}
		compare()
		must(t, c, "INSERT INTO whole VALUES (1, 'x'), (NULL, NULL); DELETE FROM whole WHERE ctid IN (SELECT ctid FROM whole WHERE a = 1 LIMIT 1); UPDATE whole SET b = 'y' WHERE a = 2")
		compare()
	})
	t.Run("statements", func(t *testing.T) {
		for _, q := range []struct {
			sql, code string
			at        string // the text at the error's position
			words     []string
		}{
			{"CREATE MATERIALIZED VIEW x AS SELECT nn FROM good", "42703", "nn", []string{"nn"}},
			{"CREATE MATERIALIZED VIEW x AS SELECT nm FROM good g WHERE g.idd = 1", "42703", "nm", nil},
			{"CREATE MATERIALIZED VIEW x AS SELECT n FROM good g WHERE g.idd = 1", "42703", "g.idd", []string{"g.id"}},
			{"CREATE MATERIALIZED VIEW x AS SELECT * FROM nowhere", "42P01", "nowhere", []string{"nowhere"}},
			{"SELECT n FROM good GROUP BY id, d HAVING", "42601", "", nil},
			{"SELECT sum(n) OVER (ORDER BY id) FROM good", "0A000", "", []string{"window"}},
			{"SELECT n FROM good INTERSECT SELECT d FROM good", "0A000", "", []string{"INTERSECT"}},
			{"SELECT n + 'x' FROM good", "22P02", "'x'", []string{"integer"}},
			{"SELECT nosuch(n) FROM good", "42883", "nosuch", []string{"nosuch(integer)"}},
			{"SELECT n FROM good, whole WHERE good.a = 1", "42703", "good.a", nil},
			{"UPDATE good SET n = 1", "", "", nil},
			{"SET statement_timeout = 'x'", "22023", "", []string{"statement_timeout"}},
		} {
			_, err := ask(context.Background(), h, q.sql)
			var e *pgconn.PgError
			if !errors.As(err, &e) {
				t.Errorf("%s\ngives %v", q.sql, err)
				continue
			}
			if q.code != "" && e.Code != q.code {
				t.Errorf("%s\ngives %s %s, not %s", q.sql, e.Code, e.Message, q.code)
			}
			if q.at != "" && (e.Position == 0 || !strings.HasPrefix(q.sql[e.Position-1:], q.at)) {
				t.Errorf("%s\n%s is at %d, not at %q", q.sql, e.Message, e.Position, q.at)
			}
			if e.Code == "0A000" && e.Position == 0 {
				t.Errorf("%s\n%s has no position", q.sql, e.Message)
			}
			for _, w := range q.words {
				if !strings.Contains(e.Message+e.Hint+e.Detail, w) {
					t.Errorf("%s\n%s\nHINT: %s\ndoes not mention %q", q.sql, e.Message, e.Hint, w)
				}
			}
		}
		goesOn(t)
	})
	t.Run("division", func(t *testing.T) {
		must(t, h, "CREATE MATERIALIZED VIEW ratio AS SELECT id, n / d AS r FROM good")
		must(t, h, "CREATE MATERIALIZED VIEW ratios AS SELECT count(*) AS n, sum(n / d) AS r FROM good")
		must(t, c, "INSERT INTO good VALUES (3, 1, 0)")
		bad := func() {
			t.Helper()
			must(t, h, "SET helios.min_lsn = '"+currentLSN(t, c)+"'")
			refused(t, h, "SELECT * FROM ratio", "22012", "division by zero")
			refused(t, h, "SELECT * FROM ratios", "22012", "division by zero")
			eventually(t, h, "SELECT name, state, last_error FROM helios.views", "ratio", "error", "division by zero")
			goesOn(t)
		}
		bad()
		s.Kill()
		s.start()
		h = s.connect()
		bad()
		must(t, c, "UPDATE good SET d = 1 WHERE id = 3")
		must(t, h, "SET helios.min_lsn = '"+currentLSN(t, c)+"'")
		if d := differ(must(t, h, "SELECT * FROM ratio"), must(t, c, "SELECT id, n / d FROM good")); d != "" {
			t.Errorf("mended\n%s", d)
		}
		must(t, h, "SELECT * FROM ratios")
	})
	t.Run("later", func(t *testing.T) {
		// A source that ceases to be usable stops alone and says so.
		other := pg.CreateDatabase(t)
		oc := pg.MustConnect(t, other).PgConn()
		must(t, oc, "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1); INSERT INTO u VALUES (1, 1)")
		must(t, h, "CREATE SOURCE other FROM CDC CONNECTION "+quote(pg.DSN(other))+" ALL TABLES WITH (slot_name = 'other_slot')")
		must(t, h, "CREATE MATERIALIZED VIEW tv AS SELECT count(*) AS n FROM t")
		must(t, h, "CREATE MATERIALIZED VIEW uv AS SELECT sum(v) AS s FROM u")
		must(t, oc, "ALTER TABLE u DROP COLUMN v; INSERT INTO u VALUES (2); INSERT INTO t VALUES (2)")
		must(t, h, "SET helios.min_lsn = '"+currentLSN(t, oc)+"'")
		if rows := must(t, h, "SELECT n FROM tv"); rows[0] != "2" {
			t.Errorf("the other table stands at %q", rows)
		}
		if _, err := ask(context.Background(), h, "SELECT * FROM uv"); err == nil {
			t.Error("a view over a table that cannot go on is read without an error")
		}
		must(t, h, "SET helios.min_lsn = ''")
		must(t, oc, "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'other_slot'")
		for tries := 0; ; tries++ {
			if _, err := ask(context.Background(), oc, "SELECT pg_drop_replication_slot('other_slot')"); err == nil {
				break
			} else if tries == 500 {
				t.Fatal(err)
			}
			must(t, oc, "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'other_slot'")
		}
		eventually(t, h, "SELECT name, state, last_error FROM helios.sources", "other", "failed", "other_slot")
		must(t, h, "DROP SOURCE other CASCADE")
		goesOn(t)
	})
	t.Run("two processes", func(t *testing.T) {
		second := newServer(t)
		second.Data = s.Data
		second.spawn()
		if err := second.wait(20 * time.Second); err == nil || !strings.Contains(second.LogTail(3), "in use by another process") {
			t.Errorf("%v\n%s", err, second.LogTail(3))
		}
		goesOn(t)
	})
	t.Run("newer format", func(t *testing.T) {
		s.stop()
		file := filepath.Join(s.Data, "FORMAT")
		old, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		newer := strings.TrimRight(string(old), "0123456789\n") + "99\n"
		if err := os.WriteFile(file, []byte(newer), 0o600); err != nil {
			t.Fatal(err)
		}
		s.spawn()
		if err := s.wait(20 * time.Second); err == nil || !strings.Contains(s.LogTail(3), "format 99") {
			t.Errorf("%v\n%s", err, s.LogTail(3))
		}
		if err := os.WriteFile(file, old, 0o600); err != nil {
			t.Fatal(err)
		}
		s.start()
		h = s.connect()
		goesOn(t)
	})
}

// TestDamage flips bytes of the state's files. The program may refuse to
// start or to answer, naming the file; it must not give a wrong answer.
func TestDamage(t *testing.T) {
	s := newServer(t, "--memory", "16MB")
	s.start()
	h := s.connect()
	must(t, h, "CREATE TABLE t (id int PRIMARY KEY, v int, pad text)")
	must(t, h, "CREATE MATERIALIZED VIEW sums AS SELECT v, count(*) AS n, sum(id) AS s FROM t GROUP BY v")
	for i := range 20 {
		sql := "INSERT INTO t VALUES "
		for j := range 2000 {
			id := i*2000 + j
			sql += fmt.Sprintf("(%d, %d, '%064x'),", id, id%100, id*id)
		}
		must(t, h, strings.TrimSuffix(sql, ","))
	}
	queries := []string{"SELECT * FROM t", "SELECT * FROM sums", "SELECT count(*), sum(id), sum(v) FROM t"}
	var right [][]string
	for _, q := range queries {
		right = append(right, must(t, h, q))
	}
	s.stop()
	pristine := s.Data
	files, err := filepath.Glob(filepath.Join(pristine, "db", "*.sst"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no tables in %s: %v", s.Data, err)
	}
	named := 0
	for i, file := range files[:min(len(files), 8)] {
		name := filepath.Base(file)
		s.Data = filepath.Join(t.TempDir(), "data")
		if err := os.CopyFS(s.Data, os.DirFS(pristine)); err != nil {
			t.Fatal(err)
		}
		bytes, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for at := 100 + 37*i; at < len(bytes)-200; at += 4096 {
			bytes[at] ^= 0x20
		}
		if err := os.WriteFile(filepath.Join(s.Data, "db", name), bytes, 0o600); err != nil {
			t.Fatal(err)
		}
		s.spawn()
		if err := s.ready(20 * time.Second); err != nil {
			if named++; !strings.Contains(s.LogTail(3), name) {
				t.Errorf("%s is damaged; the log does not say so:\n%s", name, s.LogTail(3))
			}
			s.Kill()
			continue
		}
		h := s.connect()
		for j, q := range queries {
			rows, err := ask(context.Background(), h, q)
			var e *pgconn.PgError
			switch {
			case err == nil && differ(rows, slices.Clone(right[j])) != "":
				t.Errorf("%s is damaged, and %s gives another answer", name, q)
			case errors.As(err, &e) && e.Code == "XX001" && strings.Contains(e.Message, name):
				named++
			case err != nil:
				t.Errorf("%s is damaged, and %s gives %v", name, q, err)
			}
		}
		s.Kill()
	}
	t.Logf("%d tables damaged, %d errors name them", min(len(files), 8), named)
	if named == 0 {
		t.Error("no damage was noticed")
	}
}

// TestFullDisk fills the disk under a running stream: it stops, reads go on,
// and it resumes when there is room.
func TestFullDisk(t *testing.T) {
	pg := pgtest.Start(t)
	db := pg.CreateDatabase(t)
	c := pg.MustConnect(t, db).PgConn()
	must(t, c, "CREATE TABLE t (id int PRIMARY KEY, pad text); INSERT INTO t SELECT i, md5(i::text) FROM generate_series(1, 1000) i")
	s := newServer(t, "--memory", "16MB")
	filler := fillable(t, s)
	s.start()
	h := s.connect()
	must(t, h, "CREATE SOURCE src FROM CDC CONNECTION "+quote(pg.DSN(db))+" ALL TABLES")
	must(t, h, "CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n FROM t")
	must(t, h, "CREATE TABLE mine (a int PRIMARY KEY)")
	before := must(t, h, "SELECT n FROM v")[0]
	filler.fill()
	must(t, c, "INSERT INTO t SELECT i, md5(i::text) FROM generate_series(1001, 3000) i")
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		// How full the disk is is not asked for every commit.
		if _, err := ask(context.Background(), h, "INSERT INTO mine SELECT 1 + count(*) FROM mine"); err != nil {
			break
		}
	}
	refused(t, h, "INSERT INTO mine SELECT 1 + count(*) FROM mine", "53100", "space")
	for range 20 {
		if now := must(t, h, "SELECT n FROM v")[0]; now != before {
			t.Fatalf("reads give %s, not %s", now, before)
		}
		time.Sleep(20 * time.Millisecond)
	}
	filler.free()
	must(t, h, "SET helios.min_lsn = '"+currentLSN(t, c)+"'; SET statement_timeout = '60s'")
	if now := must(t, h, "SELECT n FROM v")[0]; now != "3000" {
		t.Errorf("after there is room again: %s", now)
	}
	must(t, h, "INSERT INTO mine SELECT 1 + count(*) FROM mine")
	filler.fill()
	s.Kill()
	filler.free()
	s.start()
	h = s.connect()
	if now := must(t, h, "SELECT n FROM v")[0]; now != "3000" {
		t.Errorf("after a crash on a full disk: %s", now)
	}
}

// TestFullDiskInSnapshot fills the disk while a snapshot is loaded: the source
// says so, and the snapshot goes on when there is room.
func TestFullDiskInSnapshot(t *testing.T) {
	pg := pgtest.Start(t)
	db := pg.CreateDatabase(t)
	c := pg.MustConnect(t, db).PgConn()
	must(t, c, "CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a SELECT i, md5(i::text) FROM generate_series(1, 100000) i")
	must(t, c, "CREATE TABLE f (x int, y text); ALTER TABLE f REPLICA IDENTITY FULL; INSERT INTO f SELECT i % 100, md5(i::text) FROM generate_series(1, 100000) i")
	p, dsn := proxied(t, pg)
	p.Throttle(3 << 20)
	s := newServer(t, "--memory", "16MB", "--checkpoint-interval", "5ms")
	filler := fillable(t, s)
	s.start()
	h := s.connect()
	must(t, h, fmt.Sprintf("CREATE SOURCE src FROM CDC CONNECTION %s TABLES (f, a) WITH (slot_name = 'full', checkpoint_interval = '5ms', snapshot_chunk_bytes = 262144)", quote(dsn(db))))
	state := func() string {
		return must(t, h, "SELECT state || ' ' || coalesce(last_error, '') FROM helios.sources")[0]
	}
	until := func(what string, is func() bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("no %s: %s", what, state())
			}
		}
	}
	until("progress", func() bool { return must(t, h, "SELECT snapshot_chunks_done > 5 FROM helios.sources")[0] == "t" })
	filler.fill()
	until("word of the full disk", func() bool { return strings.HasPrefix(state(), "retrying") && strings.Contains(state(), "space") })
	must(t, c, "UPDATE a SET v = 'new' WHERE id % 100 = 7; DELETE FROM f WHERE ctid < '(3,0)'; INSERT INTO f SELECT 5, 'new' FROM generate_series(1, 10)")
	filler.free()
	p.Throttle(0)
	until("streaming", func() bool { return strings.HasPrefix(state(), "streaming") })
	for _, q := range []string{"SELECT count(*), sum(id::bigint), min(v), max(v) FROM a", "SELECT x, count(*), min(y), max(y) FROM f GROUP BY x ORDER BY x"} {
		if got, want := strings.Join(must(t, h, q), "\n"), strings.Join(must(t, c, q), "\n"); got != want {
			t.Errorf("%s:\ngot  %.300s\nwant %.300s", q, got, want)
		}
	}
	if wentOn(t, s) == 0 {
		t.Error("the snapshot began anew")
	}
}

// A filler makes the disk under a server full and gives the room back.
type filler struct {
	t    *testing.T
	path string
	most int64 // leave nothing; 0: no bound
}

// fillable puts the server's directory on a small file system of its own. Where
// that is not allowed, the server gets a low-water mark just under what is free.
func fillable(t *testing.T, s *server) *filler {
	t.Helper()
	dir := t.TempDir()
	s.Data = filepath.Join(dir, "data")
	f := &filler{t: t, path: filepath.Join(dir, "filler")}
	if os.Geteuid() == 0 && exec.Command("mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", dir).Run() == nil {
		t.Cleanup(func() {
			s.Kill()
			if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
				t.Errorf("umount: %v %s", err, out)
			}
		})
		return f
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	f.most = 512 << 20
	s.Args = append(s.Args, "--min-free", fmt.Sprint(int64(st.Bavail)*int64(st.Bsize)-f.most/2))
	return f
}

func (f *filler) fill() {
	f.t.Helper()
	w, err := os.Create(f.path)
	if err != nil {
		f.t.Fatal(err)
	}
	defer w.Close()
	block := make([]byte, 64<<10)
	for n := int64(0); f.most == 0 || n < f.most; n += int64(len(block)) {
		if _, err := w.Write(block); errors.Is(err, syscall.ENOSPC) {
			return
		} else if err != nil {
			f.t.Fatal(err)
		}
	}
}

func (f *filler) free() {
	f.t.Helper()
	if err := os.Remove(f.path); err != nil {
		f.t.Fatal(err)
	}
}

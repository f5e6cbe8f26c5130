package laws

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/helios-sql/helios-sql/internal/pgtest"
)

// TestPassword searches for the password of a source wherever the program says
// something: all relations, statements that show, errors, metrics and the log.
func TestPassword(t *testing.T) {
	const secret = "Sesam0Öffne-dich"
	pg := pgtest.Start(t)
	if err := pg.WriteFile("pg_hba.conf", []byte("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")); err != nil {
		t.Fatal(err)
	}
	if err := pg.Restart(); err != nil {
		t.Fatal(err)
	}
	pg.MustExec(t, "", "CREATE ROLE reader LOGIN SUPERUSER PASSWORD "+quote(secret)+"; CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)")
	pg.MustExec(t, "", "CREATE TABLE c (id int PRIMARY KEY); INSERT INTO c VALUES (1); CREATE TABLE d (id int PRIMARY KEY); INSERT INTO d VALUES (1); CREATE TABLE e (id int PRIMARY KEY); CREATE TABLE f (id int PRIMARY KEY)")
	t.Setenv("HELIOS_TEST_PASSWORD", secret)
	s := newServer(t, "--log-level", "debug")
	s.start()
	h, other := s.connect(), s.connect()
	dsn := fmt.Sprintf("host=127.0.0.1 port=%d user=reader dbname=postgres sslmode=disable", pg.Port)
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	run := func(conn *pgconn.PgConn, sql string) bool {
		rows, err := ask(context.Background(), conn, sql)
		fmt.Fprintln(&said, rows)
		var e *pgconn.PgError
		if errors.As(err, &e) {
			fmt.Fprintf(&said, "%+v\n", *e)
		}
		return err == nil
	}
	url := fmt.Sprintf("postgres://reader:%s@127.0.0.1:%d/postgres?sslmode=disable", secret, pg.Port)
	must(t, h, "CREATE SOURCE one FROM CDC CONNECTION "+quote(url)+" TABLES (a)")
	must(t, h, "CREATE SOURCE two FROM CDC CONNECTION "+quote(dsn)+" TABLES (b) WITH (password_file = "+quote(file)+")")
	must(t, h, "CREATE SOURCE three FROM CDC CONNECTION "+quote(dsn)+" TABLES (c) WITH (password_env = 'HELIOS_TEST_PASSWORD')")
	must(t, h, "CREATE SECRET pw AS "+quote(secret))
	must(t, h, "CREATE SOURCE four FROM CDC CONNECTION "+quote(dsn)+" TABLES (d) WITH (password_secret = 'pw')")
	eventually(t, h, "SHOW SOURCES", "four", "streaming")
	must(t, h, "ALTER SOURCE four ADD TABLE public.e")
	// Each byte of it percent-encoded, and in the other form of a connection string.
	var encoded strings.Builder
	for _, b := range []byte(secret) {
		fmt.Fprintf(&encoded, "%%%02X", b)
	}
	must(t, h, "CREATE SOURCE five FROM CDC CONNECTION "+quote(strings.Replace(url, secret, encoded.String(), 1))+" TABLES (f)")
	must(t, h, "DROP SOURCE five")
	must(t, h, "CREATE SOURCE five FROM CDC CONNECTION "+quote(dsn+" password='"+secret+"'")+" TABLES (f)")
	// While a source is being created another session looks.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	created := make(chan struct{})
	go func() {
		defer close(created)
		_, _ = ask(context.Background(), h, "CREATE SOURCE x FROM CDC CONNECTION "+quote("postgres://reader:"+secret+"@"+silent.Addr().String()+"/x?connect_timeout=2")+" TABLES (a AS x)")
	}()
	if _, err := silent.Accept(); err != nil {
		t.Fatal(err)
	}
	run(other, "SELECT * FROM pg_stat_activity")
	for _, path := range []string{"/metrics", "/healthz", "/readyz", "/debug/pprof/goroutine?debug=2", "/debug/pprof/cmdline"} {
		_, body, err := s.Get(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		said.WriteString(body)
	}
	<-created
	for _, sql := range []string{
		"CREATE SOURCE one FROM CDC CONNECTION " + quote(url) + " TABLES (a)",
		"CREATE SOURCE x FROM CDC CONNECTION " + quote(url+"&sslmode=maybe") + " TABLES (a)",
		"CREATE SOURCE x FROM CDC CONNECTION " + quote(strings.Replace(url, "@127", "x@127", 1)) + " TABLES (a AS x)",
		"CREATE SOURCE x FROM CDC CONNECTION " + quote(strings.Replace(url, "postgres?", "nosuch?", 1)) + " TABLES (a AS x)",
		"CREATE SOURCE x FROM CDC CONNECTION " + quote(strings.Replace(url, "reader:", "nosuch:", 1)) + " TABLES (a AS x)",
		"CREATE SOURCE x FROM CDC CONNECTION " + quote("postgres://reader:"+secret+"@127.0.0.1:1/x") + " TABLES (a AS x)",
		"CREATE SOURCE x FROM CDC CONNECTION " + quote("postgres://reader:"+secret+"@127.0.0.1:bad/x") + " TABLES (a AS x)",
		"CREATE SOURCE x FROM CDC CONNECTION " + quote("password="+secret+" host") + " TABLES (a AS x)",
		"CREATE SOURCE x FROM CDC CONNECTION " + quote(url) + " TABLES (nosuch)",
		"CREATE SOURCE x FROM CDC CONNECTION " + quote(dsn) + " TABLES (a AS x) WITH (password_file = '/nonexistent')",
		"CREATE SOURCE x FROM CDC CONNECTION " + quote(dsn) + " TABLES (a AS x) WITH (password = " + quote("no") + ")",
		"CREATE SOURCE x FROM CDC CONNECTION " + quote("postgres://reader:1/"+secret+"@127.0.0.1/x") + " TABLES (a AS x)",
		"CREATE SOURCE x FROM CDC CONNECTION " + quote("postgres://reader:1?"+secret+"@127.0.0.1/x?sslmode=disable") + " TABLES (a AS x)",
		"CREATE SOURCE x FROM CDC CONNECTION " + quote("postgres://reader:1#"+secret+"@127.0.0.1/x") + " TABLES (a AS x)",
		"CREATE SOURCE x FROM CDC CONNECTION " + quote(strings.Replace(url, secret, encoded.String()+"x", 1)) + " TABLES (a AS x)",
		"CREATE SOURCE x FROM CDC CONNECTION " + quote(dsn) + " TABLES (a AS x) WITH (password_env = 'HELIOS_TEST_NO_PASSWORD')",
		"CREATE SOURCE x FROM CDC CONNECTION " + quote(dsn) + " TABLES (a AS x) WITH (password_secret = 'nosuch')",
		"CREATE SOURCE x FROM CDC CONNECTION " + quote(dsn) + " TABLES (a AS x) WITH (password_secret = 'pw', password_env = 'HELIOS_TEST_PASSWORD')",
		"CREATE SECRET pw AS " + quote(secret),
		"DROP SECRET pw",
	} {
		if run(h, sql) {
			t.Errorf("%.60s… is accepted", sql)
		}
	}
	// Both connections are lost and tried again, and one with a password that is no longer right.
	must(t, h, "SET statement_timeout = '30s'; SET helios.min_lsn = '"+pg.MustQuery(t, "", "SELECT pg_current_wal_lsn()")+"'; SELECT * FROM a, b")
	if err := os.WriteFile(file, []byte(secret+"x"), 0o600); err != nil {
		t.Fatal(err)
	}
	pg.MustExec(t, "", "SELECT pg_terminate_backend(pid) FROM pg_stat_replication")
	eventually(t, other, "SELECT name, state, last_error FROM helios.sources", "two", "password authentication failed")
	run(h, "SHOW SOURCES")
	run(h, "SHOW SECRETS")
	run(h, "SHOW ALL")
	run(h, "SHOW TABLES")
	run(h, "EXPLAIN SELECT * FROM a JOIN b ON a.id = b.id")
	run(h, "EXPLAIN SELECT * FROM helios.sources")
	read := 0
	for _, name := range must(t, other, "SELECT table_schema, table_name FROM information_schema.tables") {
		schema, table, _ := strings.Cut(name, "|")
		if run(other, fmt.Sprintf(`SELECT * FROM "%s"."%s"`, schema, table)) {
			read++
		}
	}
	if read < 20 {
		t.Fatalf("only %d relations", read)
	}
	_, metrics, err := s.Get(t.Context(), "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	said.WriteString(metrics)
	s.stop()
	log, err := os.ReadFile(filepath.Join(s.Dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	said.Write(log)
	if !strings.Contains(string(log), `msg="source connection lost"`) {
		t.Error("the connector does not log as the server does")
	}
	if !strings.Contains(said.String(), "password authentication failed") {
		t.Error("the search does not see the log or the errors")
	}
	for _, line := range strings.Split(said.String(), "\n") {
		if strings.Contains(line, "Sesam0") || strings.Contains(line, encoded.String()[:12]) {
			t.Errorf("the password is in: %.300s", line)
		}
	}
}

// TestSecret has a source whose password is a secret: a new value counts from
// the next connection on, after a restart too, and the secret stays as long as it is needed.
func TestSecret(t *testing.T) {
	pg := pgtest.Start(t)
	if err := pg.WriteFile("pg_hba.conf", []byte("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")); err != nil {
		t.Fatal(err)
	}
	if err := pg.Restart(); err != nil {
		t.Fatal(err)
	}
	pg.MustExec(t, "", "CREATE ROLE reader LOGIN SUPERUSER PASSWORD 'one'; CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)")
	s := newServer(t)
	s.start()
	h := s.connect()
	refused := func(sql, code, text string) {
		t.Helper()
		_, err := ask(t.Context(), h, sql)
		var e *pgconn.PgError
		if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Message+e.Detail, text) {
			t.Fatalf("%s: %v, want %s %s", sql, err, code, text)
		}
	}
	with := func(options string) string {
		return fmt.Sprintf("CREATE SOURCE src FROM CDC CONNECTION 'host=127.0.0.1 port=%d user=reader dbname=postgres sslmode=disable' TABLES (a) WITH (%s)", pg.Port, options)
	}
	refused(with("password_secret = 'pw'"), "42704", `secret "pw" does not exist`)
	must(t, h, "CREATE SECRET pw AS 'wrong'")
	refused(with("password_secret = 'pw'"), "28P01", "password authentication failed")
	refused(with("password_secret = 'pw', password_file = '/x'"), "22023", "in a secret")
	must(t, h, "CREATE OR REPLACE SECRET pw AS 'one'")
	must(t, h, with("password_secret = 'pw'"))
	eventually(t, h, "SHOW SOURCES", "streaming")
	refused("DROP SECRET pw", "2BP01", "source src depends on secret pw")
	refused("DROP SECRET pw CASCADE", "0A000", "DROP SECRET CASCADE")
	eventually(t, h, "SHOW SECRETS", "pw|src")
	eventually(t, h, "SELECT * FROM a", "1")
	pg.MustExec(t, "", "ALTER ROLE reader PASSWORD 'two'; SELECT pg_terminate_backend(pid) FROM pg_stat_replication; INSERT INTO a VALUES (2)")
	eventually(t, h, "SELECT state, last_error FROM helios.sources", "password authentication failed")
	must(t, h, "CREATE OR REPLACE SECRET pw AS 'two'")
	eventually(t, h, "SELECT * FROM a", "2")
	pg.MustExec(t, "", "INSERT INTO a VALUES (3)")
	s.stop()
	s.start()
	h = s.connect()
	eventually(t, h, "SELECT * FROM a", "3")
	must(t, h, "ALTER SOURCE src ADD TABLE public.b")
	must(t, h, "ALTER SOURCE src REFRESH TABLE b")
	pg.MustExec(t, "", "INSERT INTO b VALUES (2)")
	eventually(t, h, "SELECT * FROM b", "2")
	must(t, h, "DROP SOURCE src")
	must(t, h, "DROP SECRET pw")
	refused("DROP SECRET pw", "42704", "does not exist")
	if n := pg.MustQuery(t, "", "SELECT count(*) FROM pg_replication_slots"); n != "0" {
		t.Fatalf("%s slots are left", n)
	}
}

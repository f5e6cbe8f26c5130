package laws

import (
	"context"
	"errors"
	"fmt"
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
	s := newServer(t)
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
	if !strings.Contains(said.String(), "password authentication failed") {
		t.Error("the search does not see the log or the errors")
	}
	for _, line := range strings.Split(said.String(), "\n") {
		if strings.Contains(line, "Sesam0") {
			t.Errorf("the password is in: %.300s", line)
		}
	}
}

package binder

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/parser"
	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/jackc/pgx/v5/pgconn"
)

var oracle = flag.String("oracle", "", "connection string of a PostgreSQL 15 that answers testdata/oracle anew")

// TestOracle compares with what PostgreSQL answered to Parse and Describe:
// names, types and origins of result columns, types of parameters, errors
// with their codes, positions and hints. A statement that starts with ! is one
// that PostgreSQL accepts and we refuse by name; with ~ the position of its
// error may differ, as the syntax tree does not have it.
func TestOracle(t *testing.T) {
	files, err := filepath.Glob("testdata/oracle/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal("no statements", err)
	}
	var conn *pgconn.PgConn
	if *oracle != "" {
		conn = connectOracle(t)
	}
	c := testCatalog(t)
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".sql"), func(t *testing.T) {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			var stmts []string
			for line := range strings.Lines(string(data)) {
				if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "--") {
					stmts = append(stmts, line)
				}
			}
			file := strings.TrimSuffix(f, ".sql") + ".answers"
			if conn != nil {
				var sb strings.Builder
				for _, s := range stmts {
					fmt.Fprintf(&sb, "> %s\n%s\n", s, describe(conn, strings.TrimLeft(s, "!~ ")))
				}
				if err := os.WriteFile(file, []byte(sb.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			recorded, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			answers := strings.Split("\n"+string(recorded), "\n> ")[1:]
			if len(answers) != len(stmts) {
				t.Fatalf("%d statements, %d answers", len(stmts), len(answers))
			}
			for i, s := range stmts {
				stmt, want, _ := strings.Cut(strings.TrimSuffix(answers[i], "\n"), "\n")
				if stmt != s {
					t.Fatalf("answer to %q stands at %q", stmt, s)
				}
				text, refused := strings.CutPrefix(s, "! ")
				text, loose := strings.CutPrefix(text, "~ ")
				switch got := bindText(c, text); {
				case refused && !(strings.Contains(got, "ERROR 0A000") && strings.HasSuffix(got, "is not supported")):
					t.Errorf("%s\nis not refused:\n%s", text, got)
				case loose && withoutPosition(got) != withoutPosition(want), !loose && !refused && got != want:
					t.Errorf("%s\ngot\n%s\nPostgreSQL says\n%s", text, got, want)
				}
			}
		})
	}
}

var position = regexp.MustCompile(`@\d+: `)

func withoutPosition(s string) string { return position.ReplaceAllString(s, "") }

func connectOracle(t *testing.T) *pgconn.PgConn {
	ctx := context.Background()
	conn, err := pgconn.Connect(ctx, *oracle)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(ctx) })
	ddl := "DROP SCHEMA public CASCADE; CREATE SCHEMA public;"
	for line := range strings.Lines(testDDL) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if name, _, ok := strings.Cut(line, " AS "); ok && !strings.Contains(name, "(") {
			ddl += "CREATE VIEW " + line + ";"
		} else {
			ddl += "CREATE TABLE " + line + ";"
		}
	}
	if _, err := conn.Exec(ctx, ddl).ReadAll(); err != nil {
		t.Fatal(err)
	}
	return conn
}

// describe gives PostgreSQL's answer to one statement.
func describe(conn *pgconn.PgConn, sql string) string {
	ctx := context.Background()
	d, err := conn.Prepare(ctx, "", sql, nil)
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return errorText(&pgerr.Error{Code: pgerr.Code(pe.Code), Message: pe.Message, Detail: pe.Detail, Hint: pe.Hint, Position: int(pe.Position)})
	}
	if err != nil {
		return err.Error()
	}
	names := map[uint32]string{}
	rows, err := conn.Exec(ctx, "SELECT oid, relname FROM pg_class").ReadAll()
	if err != nil {
		return err.Error()
	}
	for _, r := range rows[0].Rows {
		var oid uint32
		fmt.Sscan(string(r[0]), &oid)
		names[oid] = string(r[1])
	}
	var cols []string
	for _, f := range d.Fields {
		cols = append(cols, columnText(f.Name, types.Type{OID: types.OID(f.DataTypeOID), Mod: f.TypeModifier}, names[f.TableOID], int16(f.TableAttributeNumber)))
	}
	var params []types.OID
	for _, p := range d.ParamOIDs {
		params = append(params, types.OID(p))
	}
	return answer(cols, params)
}

func columnText(name string, t types.Type, table string, attr int16) string {
	s := fmt.Sprintf("%s %s", name, t)
	if table != "" {
		s += fmt.Sprintf(" (%s.%d)", table, attr)
	}
	return s
}

func answer(cols []string, params []types.OID) string {
	s := "(" + strings.Join(cols, ", ") + ")"
	for i, p := range params {
		s += fmt.Sprintf(" $%d %s", i+1, p)
	}
	return s
}

// bindText gives our answer.
func bindText(c *catalog.Snapshot, sql string) string {
	p, err := parser.Parse(sql)
	if err != nil {
		return errorText(err)
	}
	b := New(c, testOptions())
	var cols types.Schema
	var origins []Origin
	var params []types.OID
	var d *DML
	switch s := p[0].Stmt.(type) {
	case *ast.Query:
		var q *Query
		if q, err = b.BindQuery(s.Select); err == nil {
			cols, origins, params = q.Cols, q.Origins, q.Params
			err = checkTree(q.Root)
		}
	case *ast.Insert:
		d, err = b.BindInsert(s)
	case *ast.Update:
		d, err = b.BindUpdate(s)
	case *ast.Delete:
		d, err = b.BindDelete(s)
	}
	if err != nil {
		return errorText(err)
	}
	if d != nil {
		if err := checkTree(d.Source); err != nil {
			return errorText(err)
		}
		cols, origins, params = d.ReturningCols, d.ReturningOrigins, d.Params
	}
	var out []string
	for i, col := range cols {
		table := ""
		if r := c.Relation(origins[i].Relation); r != nil {
			table = r.Name
		}
		out = append(out, columnText(col.Name, col.Type, table, origins[i].Attr))
	}
	return answer(out, params)
}

package parser

import (
	"fmt"
	"math/rand"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// TestFailpointListener starts this test again with the variable that makes a
// module below TiDB's parser listen, and looks whether it does.
func TestFailpointListener(t *testing.T) {
	const child = "PARSER_TEST_CHILD"
	if addr := os.Getenv(child); addr != "" {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatalf("the address is taken: %v", err)
		}
		l.Close()
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	cmd := exec.Command(os.Args[0], "-test.run=^TestFailpointListener$")
	cmd.Env = append(os.Environ(), child+"="+addr, "GO_FAILPOINTS_HTTP="+addr, "GO_FAILPOINTS=bad")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// deep gives statements that nest n times in many ways.
func deep(n int) map[string]string {
	r := strings.Repeat
	return map[string]string{
		"parens":     "SELECT " + r("(", n) + "1" + r(")", n),
		"open":       "SELECT " + r("(", n),
		"subqueries": "SELECT " + r("(SELECT ", n) + "1" + r(")", n),
		"ambiguous":  "SELECT " + r("((SELECT ", n) + "1" + r(") + 1)", n),
		"derived":    r("SELECT * FROM (", n) + "SELECT 1" + r(") a", n),
		"joins":      "SELECT * FROM " + r("(", n) + "a" + r(" JOIN a ON true)", n),
		"leftjoins":  "SELECT * FROM a" + r(" JOIN a ON true", n),
		"rightjoins": "SELECT * FROM a" + r(" JOIN a", n) + r(" ON true", n),
		"items":      "SELECT * FROM a" + r(", a", n),
		"not":        "SELECT " + r("NOT ", n) + "a",
		"minus":      "SELECT " + r("- ", n) + "a",
		"plus":       "SELECT 1" + r(" + 1", n),
		"concat":     "SELECT 1" + r(" || 1", n),
		"power":      "SELECT 1" + r(" ^ (1", n) + r(")", n),
		"casts":      "SELECT a" + r("::int", n),
		"subscripts": "SELECT a" + r("[1]", n),
		"arrays":     "SELECT ARRAY" + r("[", n) + "1" + r("]", n),
		"case":       "SELECT " + r("CASE WHEN a THEN ", n) + "1" + r(" END", n),
		"calls":      "SELECT " + r("f(", n) + "1" + r(")", n),
		"unions":     "SELECT 1" + r(" UNION SELECT 1", n),
		"setparens":  r("(", n) + "SELECT 1" + r(") UNION SELECT 1", n),
		"explain":    r("EXPLAIN ", n) + "SELECT 1",
		"withs":      r("WITH a AS (", n) + "SELECT 1" + r(") SELECT 1", n),
		"sets":       "SELECT 1 GROUP BY " + r("GROUPING SETS (", n) + "a" + r(")", n),
		"is":         "SELECT a" + r(" IS NULL", n),
		"in":         "SELECT a" + r(" IN (1)", n),
		"comments":   r("/*", n) + "x",
	}
}

func TestDeepNesting(t *testing.T) {
	for _, n := range []int{20, 900, 100000} {
		for name, sql := range deep(n) {
			start := time.Now()
			_, err := Parse(sql)
			switch code := pgerr.CodeOf(err); {
			case code == pgerr.InternalError:
				t.Errorf("%s %d: %v", name, n, err)
			case n == 20 && err != nil && name != "open" && name != "comments" && name != "explain":
				t.Errorf("%s %d: %v", name, n, err)
			case n == 100000 && err == nil && name != "items" && name != "sets":
				t.Errorf("%s %d: accepted", name, n)
			case n == 100000 && code != pgerr.StatementTooComplex && code != pgerr.SyntaxError:
				t.Errorf("%s %d: %v", name, n, err)
			}
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("%s %d took %v", name, n, d)
			}
		}
	}
}

// TestLongChains holds that what is only long, not deep, is accepted in linear time.
func TestLongChains(t *testing.T) {
	const n = 100000
	chain := strings.Repeat(" AND a = 1 OR b", n)
	list, err := Parse("SELECT * FROM t WHERE x" + chain)
	if err != nil {
		t.Fatal(err)
	}
	where := list[0].Stmt.(*ast.Query).Select.Body.(*ast.SelectCore).Where.(*ast.Logic)
	if where.Kind != ast.Or || len(where.Args) != n+1 {
		t.Fatalf("%v with %d arguments", where.Kind, len(where.Args))
	}
	if _, err := Parse("SELECT a IN (1" + strings.Repeat(", 1", n) + ")"); err != nil {
		t.Fatal(err)
	}
	if _, err := Parse("SELECT f(1" + strings.Repeat(", 1", n) + ") AS é, b"); err != nil {
		t.Fatal(err)
	}
	if list, err := Parse(strings.Repeat("SELECT 1;", n/10)); err != nil || len(list) != n/10 {
		t.Fatal(len(list), err)
	}
}

func TestFourMegabytes(t *testing.T) {
	row := "(1, 'some text of a row', 12.5, NULL, $1),\n"
	sql := "INSERT INTO t VALUES " + strings.Repeat(row, 4<<20/len(row)) + "(1, 2, 3, 4, 5)"
	start := time.Now()
	list, err := Parse(sql)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(list[0].Stmt.(*ast.Insert).Query.Body.(*ast.Values).Rows); n != 4<<20/len(row)+1 {
		t.Fatalf("%d rows", n)
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("took %v", d)
	}
	text := strings.Repeat("x'y", 1<<20)
	list, err = Parse("SELECT '" + strings.ReplaceAll(text, "'", "''") + "'")
	if err != nil {
		t.Fatal(err)
	}
	c := list[0].Stmt.(*ast.Query).Select.Body.(*ast.SelectCore).Targets[0].X.(*ast.Const)
	if c.Text != text {
		t.Fatal("a long string changed")
	}
}

func TestConcurrency(t *testing.T) {
	samples := corpus(t)
	want := make([]string, len(samples))
	for i, s := range samples {
		want[i] = describe(s.sql)
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := rand.New(rand.NewSource(int64(g)))
			for range 300 {
				i := r.Intn(len(samples))
				if got := describe(samples[i].sql); got != want[i] {
					t.Errorf("%s differs", samples[i].name)
				}
			}
		}()
	}
	wg.Wait()
}

// TestOddNames holds that names and strings come through unchanged, whatever is in them.
func TestOddNames(t *testing.T) {
	seed := time.Now().UnixNano()
	r := rand.New(rand.NewSource(seed))
	alphabet := []rune("ab`'\"\\ \n\t;$?%_-/*#@!{}é🎉名\x01\x7f0A")
	word := func() string {
		var w []rune
		for range 1 + r.Intn(12) {
			w = append(w, alphabet[r.Intn(len(alphabet))])
		}
		return string(w)
	}
	for range 3000 {
		name, alias, text := word(), word(), word()
		q := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
		l := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
		sql := fmt.Sprintf("SELECT %s AS %s, %s, f(%s) FROM %s AS %s(x) WHERE a LIKE '%%' || %s -- c",
			q(name), q(alias), l(text), l(text), q(name), q(alias), l(text))
		list, err := Parse(sql)
		if err != nil {
			t.Fatalf("seed %d: %q: %v", seed, sql, err)
		}
		core := list[0].Stmt.(*ast.Query).Select.Body.(*ast.SelectCore)
		table := core.From[0].(*ast.TableName)
		if got := core.Targets[0].X.(*ast.ColumnRef).Parts[0]; got != name {
			t.Fatalf("seed %d: column %q became %q", seed, name, got)
		}
		if core.Targets[0].Name != alias || table.Name[0] != name || table.Alias.Name != alias || table.Alias.Columns[0] != "x" {
			t.Fatalf("seed %d: %q: %s", seed, sql, ast.Print(core))
		}
		if got := core.Targets[1].X.(*ast.Const).Text; got != text {
			t.Fatalf("seed %d: string %q became %q", seed, text, got)
		}
		if got := core.Targets[2].X.(*ast.Call).Args[0].(*ast.Const).Text; got != text {
			t.Fatalf("seed %d: argument %q became %q", seed, text, got)
		}
	}
}

// checkPositions holds that operators, columns, parameters and calls stand in
// the text where their nodes say. It reads the printed tree.
func checkPositions(t testing.TB, sql string) {
	list, err := Parse(sql)
	if err != nil {
		return
	}
	for _, p := range list {
		text := []rune(p.Text)
		if string([]rune(sql)[p.Offset:p.Offset+len(text)]) != p.Text {
			t.Errorf("offset %d of %q", p.Offset, p.Text)
		}
		walkExprs(p.Stmt, func(e ast.Expr) {
			at := int(e.Position())
			want := ""
			switch n := e.(type) {
			case *ast.ColumnRef:
				if len(n.Parts) > 0 {
					want = n.Parts[0]
				}
			case *ast.Op:
				if want = n.Name; n.Schema != "" {
					want = "operator"
				}
			case *ast.Param:
				want = fmt.Sprintf("$%d", n.N)
			case *ast.Call:
				want = n.Name[0]
			case *ast.Case:
				want = "case"
			case *ast.Array:
				want = "["
			case *ast.Between:
				want = "between"
			case *ast.In:
				want = "in"
			}
			if at < 1 || at > len(text) {
				t.Errorf("position %d of %T in %q", at, e, p.Text)
				return
			}
			if !startsLike(string(text[at-1:min(at+63, len(text))]), want) {
				t.Errorf("%T %q is not at %d in %q: %q", e, want, at, p.Text, string(text[at-1:min(at+11, len(text))]))
			}
		})
	}
}

// startsLike compares without regard to case and quotes, and knows the words
// under which SQL hides an operator or a function.
func startsLike(text, want string) bool {
	has := func(w string) bool { return len(text) >= len(w) && strings.EqualFold(text[:len(w)], w) }
	if want == "" || has(want) || text[0] == '"' || strings.HasPrefix(strings.ToLower(text), "u&\"") || has("not") {
		return true
	}
	for _, r := range want {
		if r > unicode.MaxASCII {
			return true
		}
	}
	switch want {
	case "<>":
		return has("!=")
	case "timezone":
		return has("at")
	case "btrim", "ltrim", "rtrim":
		return has("trim")
	case "pg_collation_for":
		return has("collation")
	case "is_normalized":
		return has("is")
	case "[":
		return has("array")
	}
	return has("operator") || has("like") || has("ilike")
}

func TestPositions(t *testing.T) {
	for _, s := range corpus(t) {
		checkPositions(t, s.sql)
		checkPositions(t, "SELECT 'é🎉';"+s.sql)
	}
}

// FuzzParse holds that no text makes the parser panic, hang or fail at its own output.
func FuzzParse(f *testing.F) {
	for _, s := range corpus(f) {
		f.Add(s.sql)
	}
	for _, s := range deep(8) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		list, err := Parse(sql)
		if pgerr.CodeOf(err) == pgerr.InternalError {
			t.Fatalf("%q: %v", sql, err)
		}
		for _, p := range list {
			ast.Print(p.Stmt)
		}
		checkPositions(t, sql)
		if _, err := ParseExpr(sql); pgerr.CodeOf(err) == pgerr.InternalError {
			t.Fatalf("expression %q: %v", sql, err)
		}
		if _, err := ParseTypeName(sql); pgerr.CodeOf(err) == pgerr.InternalError {
			t.Fatalf("type %q: %v", sql, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, c := range []struct{ name, sql string }{
		{"point", "SELECT id, user_id, amount FROM orders WHERE id = $1"},
		{"insert", "INSERT INTO orders (id, user_id, amount) VALUES ($1, $2, $3)"},
		{"update", "UPDATE orders SET amount = amount + $1, status = 'paid' WHERE id = $2"},
		{"join", "SELECT u.name, count(*) AS n, sum(o.amount) FILTER (WHERE o.status = 'paid') FROM users u JOIN orders o ON o.user_id = u.id WHERE o.created_at >= now() - interval '1 day' AND u.active GROUP BY u.name HAVING count(*) > 3 ORDER BY n DESC LIMIT 10"},
		{"begin", "BEGIN"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(c.sql); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

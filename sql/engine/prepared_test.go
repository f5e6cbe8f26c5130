package engine_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/session"
	"github.com/helios-sql/helios-sql/sql/types"
)

// A preparer runs prepared statements as the extended protocol does.
type preparer struct {
	t   *testing.T
	ses session.Session
}

func (p preparer) prepare(name, sql string) {
	p.t.Helper()
	if err := p.ses.Parse(context.Background(), name, sql, nil); err != nil {
		p.t.Fatal(err)
	}
}

// do runs simple statements, which must succeed.
func (p preparer) do(sql string) {
	p.t.Helper()
	if out := run(p.ses, sql, nil); strings.Contains(out, "ERROR") {
		p.t.Fatalf("%s: %s", sql, out)
	}
}

// rows executes a prepared statement and gives its rows, or the error, in one line.
func (p preparer) rows(name string, args ...string) string {
	raw := make([][]byte, len(args))
	for i, a := range args {
		if a != "NULL" {
			raw[i] = []byte(a)
		}
	}
	ctx := context.Background()
	out := &printer{}
	err := p.ses.Bind(ctx, "", name, nil, raw)
	if err == nil {
		out.cols, err = p.ses.DescribePortal("")
	}
	if err == nil {
		_, err = p.ses.Execute(ctx, "", 0, out)
	}
	if end := p.ses.Sync(ctx, err != nil); err == nil {
		err = end
	}
	if err != nil {
		return string(pgerr.Flatten(err).Code)
	}
	rows, _, _ := strings.Cut(out.buf.String(), "-- ")
	return strings.ReplaceAll(strings.TrimSpace(rows), "\n", " ")
}

func (p preparer) want(want, name string, args ...string) {
	p.t.Helper()
	if got := p.rows(name, args...); got != want {
		p.t.Errorf("%s%q: %q; want %q", name, args, got, want)
	}
}

const shopSQL = `CREATE TABLE orders (id int8 PRIMARY KEY, country text NOT NULL, amount int8, at timestamptz);
	INSERT INTO orders VALUES (1, 'zz', 10, '2026-01-02 03:04:05+00'), (2, 'zz', 20, NULL), (3, 'aa', 7, NULL);
	CREATE MATERIALIZED VIEW revenue AS SELECT country, count(*) AS orders, sum(amount) AS total FROM orders GROUP BY country`

func preparers(t *testing.T, n int) []preparer {
	s := start(t, t.TempDir())
	t.Cleanup(s.close)
	var ps []preparer
	for range n {
		p := preparer{t, s.session()}
		t.Cleanup(p.ses.Close)
		ps = append(ps, p)
	}
	ps[0].do(shopSQL)
	return ps
}

// The query that a prepared statement's plan is made into is run with other
// parameters each time.
func TestPreparedParameters(t *testing.T) {
	p := preparers(t, 1)[0]
	p.prepare("point", "SELECT orders FROM revenue WHERE country = $1")
	p.prepare("constant", "SELECT orders FROM revenue WHERE country = 'zz'")
	p.prepare("filter", "SELECT id FROM orders WHERE id = $1 AND amount > $2")
	p.prepare("output", "SELECT amount + $2 FROM orders WHERE id = $1")
	p.prepare("limit", "SELECT id FROM orders WHERE id >= 1 ORDER BY id LIMIT $1 OFFSET $2")
	p.prepare("range", "SELECT id FROM orders WHERE id >= $1 AND id < $2 ORDER BY id")
	for range 3 {
		p.want("2", "point", "zz")
		p.want("1", "point", "aa")
		p.want("", "point", "qq")
		p.want("", "point", "NULL")
		p.want("2", "constant")
		p.want("1", "filter", "1", "5")
		p.want("", "filter", "1", "15")
		p.want("11", "output", "1", "1")
		p.want("22", "output", "2", "2")
		p.want("NULL", "output", "2", "NULL")
		p.want("1", "limit", "1", "0")
		p.want("2 3", "limit", "5", "1")
		p.want("2201W", "limit", "-1", "0")
		p.want("1 2", "range", "1", "3")
		p.want("", "range", "NULL", "3")
	}
}

// What a prepared statement's plan was made into goes with the plan.
func TestPreparedAfterDDL(t *testing.T) {
	ps := preparers(t, 2)
	p, other := ps[0], ps[1]
	p.prepare("q", "SELECT orders FROM revenue WHERE country = 'zz'")
	p.prepare("star", "SELECT * FROM revenue WHERE country = 'zz'")
	p.want("2", "q")
	p.want("zz|2|30", "star")
	other.do("DROP MATERIALIZED VIEW revenue")
	p.want("42P01", "q")
	other.do("CREATE MATERIALIZED VIEW revenue AS SELECT country, count(*) * 100 AS orders FROM orders GROUP BY country")
	p.want("200", "q")
	p.want("0A000", "star") // cached plan must not change result type
	other.do("DROP MATERIALIZED VIEW revenue; CREATE VIEW revenue AS SELECT 7::int8 AS orders, country FROM orders WHERE id = 1")
	p.want("7", "q")
	other.do("CREATE OR REPLACE VIEW revenue AS SELECT 8::int8 AS orders, country FROM orders WHERE id = 2")
	p.want("8", "q")
	other.do("DROP VIEW revenue; CREATE TABLE revenue (orders int8 NOT NULL, country text PRIMARY KEY); INSERT INTO revenue VALUES (9, 'zz')")
	p.want("9", "q")
	other.do("UPDATE revenue SET orders = 10")
	p.want("10", "q")
	p.want("0A000", "star")
}

// Expressions see the session and the clock as they are at each execution.
func TestPreparedSettings(t *testing.T) {
	p := preparers(t, 1)[0]
	p.prepare("zone", "SELECT at::text FROM orders WHERE id = 1")
	p.prepare("name", "SELECT current_setting('application_name'), current_schema FROM orders WHERE id = $1")
	p.prepare("now", "SELECT now() = $1::timestamptz FROM orders WHERE id = 1")
	p.prepare("clock", "SELECT now() FROM orders WHERE id = 1")
	p.want("2026-01-02 03:04:05+00", "zone")
	p.do("SET application_name = 'one'")
	p.want("one|public", "name", "1")
	p.do("SET timezone = 'Europe/Berlin'; SET application_name = 'two'")
	p.want("2026-01-02 04:04:05+01", "zone")
	p.want("two|public", "name", "2")
	p.do("BEGIN; SET LOCAL timezone = 'America/New_York'")
	p.want("2026-01-01 22:04:05-05", "zone")
	p.do("ROLLBACK; SET timezone = 'UTC'")
	p.want("2026-01-02 03:04:05+00", "zone")
	first := p.rows("clock")
	p.want("f", "now", first)
	if p.rows("clock") == first {
		t.Error("now() stands still")
	}
	p.do("SET search_path = nowhere")
	p.want("42P01", "zone")
	p.do("CREATE SCHEMA other; CREATE TABLE other.orders (id int PRIMARY KEY, at date); INSERT INTO other.orders VALUES (1, '2020-02-02')")
	p.do("SET search_path = other, public")
	p.want("2020-02-02", "zone")
	p.want("two|other", "name", "1")
	p.do("SET search_path = public")
	p.want("2026-01-02 03:04:05+00", "zone")
}

// A prepared read in a block sees the block's tick and its changes.
func TestPreparedInBlock(t *testing.T) {
	ps := preparers(t, 2)
	p, other := ps[0], ps[1]
	p.prepare("point", "SELECT amount FROM orders WHERE id = $1")
	p.prepare("view", "SELECT orders FROM revenue WHERE country = 'zz'")
	p.want("10", "point", "1")
	p.want("2", "view")
	p.do("BEGIN")
	p.want("10", "point", "1")
	p.do("UPDATE orders SET amount = 11 WHERE id = 1; INSERT INTO orders VALUES (4, 'zz', 40); DELETE FROM orders WHERE id = 2")
	p.want("11", "point", "1")
	p.want("40", "point", "4")
	p.want("", "point", "2")
	p.want("2", "view") // views change with the commit
	other.do("INSERT INTO orders VALUES (5, 'zz', 50)")
	other.do("DROP MATERIALIZED VIEW revenue; CREATE MATERIALIZED VIEW revenue AS SELECT country, -count(*) AS orders FROM orders GROUP BY country")
	p.want("", "point", "5")
	p.want("2", "view")
	p.do("ROLLBACK")
	p.want("10", "point", "1")
	p.want("", "point", "4")
	p.want("20", "point", "2")
	p.want("50", "point", "5")
	p.want("-3", "view")
}

// An error among a view's data is the reader's error for as long as it is there.
func TestPreparedErrors(t *testing.T) {
	p := preparers(t, 1)[0]
	p.do("CREATE MATERIALIZED VIEW quotient AS SELECT id, 100 / amount AS q FROM orders")
	p.prepare("q", "SELECT q FROM quotient WHERE id = $1")
	p.prepare("e", "SELECT 20 / (amount - 10) FROM orders WHERE id = $1")
	p.want("10", "q", "1")
	p.do("INSERT INTO orders VALUES (9, 'zz', 0)")
	p.want("22012", "q", "1")
	p.do("DELETE FROM orders WHERE id = 9")
	p.want("10", "q", "1")
	p.want("22012", "e", "1")
	p.want("2", "e", "2")
	p.want("22P02", "e", "x")
	p.want("2", "e", "2")
}

// Two portals of one statement may be under way at once.
func TestPreparedSuspended(t *testing.T) {
	p := preparers(t, 1)[0]
	ctx := context.Background()
	p.prepare("q", "SELECT id FROM orders WHERE id > 0")
	p.want("1 2 3", "q")
	p.do("BEGIN")
	portals := []string{"a", "b", "c"}
	outs := make([]*printer, len(portals))
	for i, name := range portals {
		outs[i] = &printer{cols: []session.ResultColumn{{Name: "id", Type: types.T(types.Int8)}}}
		if err := p.ses.Bind(ctx, name, "q", nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	for round := range 3 {
		for i, name := range portals {
			if more, err := p.ses.Execute(ctx, name, 1, outs[i]); err != nil || !more {
				t.Fatalf("portal %s, row %d: more %t, error %v", name, round+1, more, err)
			}
		}
	}
	p.do("COMMIT")
	for i, out := range outs {
		if got := out.buf.String(); got != "1\n2\n3\n" {
			t.Errorf("portal %s: %q", portals[i], got)
		}
	}
	p.want("1 2 3", "q")
}

// Sessions read by prepared statements while the relation changes and is made anew.
func TestPreparedConcurrently(t *testing.T) {
	ps := preparers(t, 4)
	writer, readers := ps[0], ps[1:]
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for _, p := range readers {
		p.prepare("q", "SELECT orders, total FROM revenue WHERE country = $1")
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				switch got := p.rows("q", "zz"); got {
				case "2|30", "3|60", "200|30", "300|60", "42P01": // never half of one and half of another
				default:
					t.Errorf("read %q", got)
					return
				}
			}
		})
	}
	for i := range 10 {
		writer.do("INSERT INTO orders VALUES (4, 'zz', 30)")
		writer.do("DROP MATERIALIZED VIEW revenue")
		writer.do(fmt.Sprintf("CREATE MATERIALIZED VIEW revenue AS SELECT country, count(*) * %d AS orders, sum(amount) AS total FROM orders GROUP BY country", []int{100, 1}[i%2]))
		writer.do("DELETE FROM orders WHERE id = 4")
	}
	close(stop)
	wg.Wait()
	for _, p := range readers {
		p.want("2|30", "q", "zz")
	}
}

// A canceled execution leaves the statement fit for the next.
func TestPreparedCanceled(t *testing.T) {
	p := preparers(t, 1)[0]
	p.prepare("q", "SELECT amount FROM orders WHERE id = $1")
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for range 3 {
		p.want("10", "q", "1")
		if err := p.ses.Bind(ended, "", "q", nil, [][]byte{[]byte("2")}); err != nil {
			t.Fatal(err)
		}
		_, err := p.ses.Execute(ended, "", 0, &printer{})
		if code := pgerr.CodeOf(err); code != pgerr.QueryCanceled {
			t.Errorf("canceled: %v", err)
		}
		if err := p.ses.Sync(context.Background(), true); err != nil {
			t.Fatal(err)
		}
		p.want("20", "q", "2")
	}
}

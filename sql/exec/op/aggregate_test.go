package op_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/helios-sql/helios-sql/internal/pgtest"
	"github.com/helios-sql/helios-sql/sql/exec/internal/exectest"
	"github.com/helios-sql/helios-sql/sql/exec/op"
	"github.com/helios-sql/helios-sql/sql/planner/memo"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/helios-sql/helios-sql/sql/zset"
)

// aggregateNames are all aggregates of the catalog.
var aggregateNames = strings.Fields(`count sum avg min max bool_and bool_or every bit_and bit_or
	stddev stddev_samp stddev_pop variance var_samp var_pop`)

// aggregateValues are inputs by type. Floats are such that PostgreSQL's sums
// are exact in any order.
var aggregateValues = map[types.OID][]string{
	types.Bool:        {"t", "f"},
	types.Int2:        {"0", "1", "-7", "32767", "-32768"},
	types.Int4:        {"0", "1", "-7", "12", "2147483647", "-2147483648"},
	types.Int8:        {"0", "1", "-7", "9223372036854775807", "-9223372036854775808", "123456789012"},
	types.OIDType:     {"0", "4294967295", "17"},
	types.Float4:      {"0", "1.5", "-2.25", "1024", "Infinity", "NaN"},
	types.Float8:      {"0", "1.5", "-2.25", "1048576", "0.125", "-Infinity", "NaN"},
	types.Numeric:     {"0", "1.50", "-2.25", "1e20", "0.000001", "12345678901234567890.12", "3", "NaN", "Infinity", "-Infinity"},
	types.Text:        {"", "a", "ab", "B"},
	types.BPChar:      {"a", "ab"},
	types.Date:        {"2020-01-01", "1999-12-31", "infinity"},
	types.Time:        {"00:00:00", "23:59:59.5"},
	types.TimeTZ:      {"12:00:00+00", "12:00:00+02"},
	types.Timestamp:   {"2020-01-01 00:00:00", "1999-12-31 23:59:59.999999"},
	types.TimestampTZ: {"2020-01-01 00:00:00+00", "1999-12-31 23:59:59.999999+00"},
	types.Interval:    {"1 mon", "35 days", "-5 days 03:00:00", "1 year 2 mons 3 days 04:05:06.789", "00:00:00.000001"},
}

// Every aggregate of the catalog gives what PostgreSQL gives, after values
// have come and gone.
func TestAggregatesAgainstPostgres(t *testing.T) {
	pg := pgtest.Start(t)
	conn := pg.MustConnect(t, "postgres").PgConn()
	if err := conn.Exec(context.Background(), "SET timezone = 'UTC'").Close(); err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	tried := map[string]bool{}
	for _, name := range aggregateNames {
		for _, fn := range scalar.Aggregates(name) {
			tried[fn.ID] = true
			if len(fn.Args) == 0 {
				continue
			}
			for range 12 {
				c := aggregateCase{fn: fn, arg: fn.Args[0], distinct: rng.IntN(3) == 0}
				if c.arg == types.Any {
					c.arg = types.Numeric
				}
				c.draw(rng)
				want := c.postgres(t, conn)
				got, err := c.ours()
				if err != nil {
					t.Fatalf("%s of %q: %v", fn.ID, c.values, err)
				}
				if got != want && !(c.rounds() && near(got, want)) {
					t.Errorf("%s distinct=%v of %q: got %s, PostgreSQL says %s", fn.ID, c.distinct, c.values, got, want)
				}
			}
		}
	}
	if len(tried) < 80 {
		t.Errorf("only %d aggregates were found", len(tried))
	}
}

// rounds reports whether PostgreSQL's own result depends on the order of rows.
func (c *aggregateCase) rounds() bool {
	return c.fn.Ret == types.Float8 && c.fn.Name != "sum" && c.fn.Name != "avg"
}

// near reports whether two results differ in their last digits only.
func near(a, b string) bool {
	x, errX := strconv.ParseFloat(strings.Trim(a, "()"), 64)
	y, errY := strconv.ParseFloat(strings.Trim(b, "()"), 64)
	return errX == nil && errY == nil && math.Abs(x-y) <= 1e-14*math.Abs(x)
}

type aggregateCase struct {
	fn       *scalar.AggFunc
	arg      types.OID
	distinct bool
	values   []string // NULL stands for NULL
	gone     []string // added and retracted
}

func (c *aggregateCase) draw(rng *rand.Rand) {
	all := aggregateValues[c.arg]
	if rng.IntN(2) == 0 { // without the extremes, which make most results alike
		all = slices.DeleteFunc(slices.Clone(all), func(s string) bool { return strings.HasSuffix(s, "Infinity") || s == "NaN" })
	}
	pick := func() string {
		if rng.IntN(8) == 0 {
			return "NULL"
		}
		return all[rng.IntN(len(all))]
	}
	for range rng.IntN(7) {
		c.values = append(c.values, pick())
	}
	for range rng.IntN(4) {
		c.gone = append(c.gone, pick())
	}
}

func (c *aggregateCase) postgres(t *testing.T, conn *pgconn.PgConn) string {
	quoted := make([]string, len(c.values))
	for i, v := range c.values {
		if quoted[i] = v; v != "NULL" {
			quoted[i] = `"` + v + `"`
		}
	}
	arg := "v::" + c.arg.Name()
	if c.distinct {
		arg = "DISTINCT " + arg
	}
	// Text is compared by bytes, as ours.
	if c.arg == types.Text || c.arg == types.BPChar {
		arg += ` COLLATE "C"`
	}
	sql := fmt.Sprintf("SELECT %s(%s) FROM unnest($1::text[]) v", c.fn.Name, arg)
	r := conn.ExecParams(context.Background(), sql, [][]byte{[]byte("{" + strings.Join(quoted, ",") + "}")}, nil, nil, nil).Read()
	if r.Err != nil {
		var pe *pgconn.PgError
		if !errors.As(r.Err, &pe) {
			t.Fatalf("%s: %v", sql, r.Err)
		}
		return "error " + pe.Code + " " + pe.Message
	}
	if r.Rows[0][0] == nil {
		return "(NULL)"
	}
	return "(" + string(r.Rows[0][0]) + ")"
}

func (c *aggregateCase) ours() (string, error) {
	tab := exectest.Table{Rel: 1, Name: "t", Cols: types.Schema{{Name: "v", Type: types.T(c.arg)}}}
	g := &rel.GroupBy{
		Input: &rel.Scan{ID: 1, Name: "t", Cols: tab.Cols},
		Aggs:  []scalar.Agg{{Fn: c.fn, Args: []scalar.Expr{&scalar.Column{Typ: types.T(c.arg)}}, Distinct: c.distinct, Typ: types.T(c.fn.Ret)}},
		Names: []string{"agg"},
	}
	b := physical.NewBuilder(memo.New(), false)
	in, err := b.Build(g)
	if err != nil {
		return "", err
	}
	view := b.Sink(in)
	run, err := exectest.NewRun([]exectest.Table{tab}, view, in)
	if err != nil {
		return "", err
	}
	var events []exectest.Event
	for _, v := range append(slices.Clone(c.gone), c.values...) {
		row, err := exectest.ParseRow(tab.Cols.Types(), v)
		if err != nil {
			return "", err
		}
		events = append(events, exectest.Event{Rel: 1, Op: zset.Insert, New: row})
	}
	if _, err := run.Tick(events); err != nil {
		return "", err
	}
	for i := range c.gone {
		e := exectest.Event{Rel: 1, Op: zset.Delete, Kind: zset.OldRow, Old: events[i].New}
		if _, err := run.Tick([]exectest.Event{e}); err != nil {
			return "", err
		}
	}
	if run.Errs.Len() > 0 {
		e := op.ErrorOf(run.Errs.Row(0))
		return "error " + string(e.Code) + " " + e.Message, nil
	}
	return exectest.FormatRow(view.Types(), run.Rows.Row(0)), nil
}

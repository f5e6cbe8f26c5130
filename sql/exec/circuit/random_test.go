package circuit_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/helios-sql/helios-sql/sql/exec/internal/exectest"
	"github.com/helios-sql/helios-sql/sql/planner/memo"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/helios-sql/helios-sql/sql/zset"
)

var seed = flag.Uint64("seed", 0, "seed of the random tests; 0: by the clock")

func newRand(t testing.TB) *rand.Rand {
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", s)
	return rand.New(rand.NewPCG(s, 1))
}

var (
	tInt     = types.T(types.Int4)
	tNumeric = types.T(types.Numeric)
	tText    = types.T(types.Text)
	tFloat   = types.T(types.Float8)
)

// tables are two with a key and one bag.
func tables() []exectest.Table {
	cols := func(notNull bool) types.Schema {
		return types.Schema{{Name: "k", Type: tInt, NotNull: notNull}, {Name: "a", Type: tInt}, {Name: "n", Type: tNumeric}, {Name: "s", Type: tText}, {Name: "f", Type: tFloat}}
	}
	return []exectest.Table{
		{Rel: 1, Name: "t1", Cols: cols(true), Key: []int{0}},
		{Rel: 2, Name: "t2", Cols: cols(true), Key: []int{0}},
		{Rel: 3, Name: "t3", Cols: cols(false)},
	}
}

// A generator makes random plans and histories.
type generator struct {
	*rand.Rand
	tables []exectest.Table
}

func (g *generator) plan(depth int) rel.Node {
	if depth == 0 || g.IntN(8) == 0 {
		t := g.tables[g.IntN(len(g.tables))]
		return &rel.Scan{ID: t.Rel, Name: t.Name, Cols: t.Cols, Key: t.Key}
	}
	switch g.IntN(12) {
	case 0, 1:
		return g.filter(g.plan(depth - 1))
	case 2:
		return g.project(g.plan(depth - 1))
	case 3, 4, 5, 6:
		return g.join(depth)
	case 7, 8, 9:
		return g.groupBy(g.plan(depth - 1))
	case 10:
		return &rel.Distinct{Input: g.some(g.plan(depth-1), 1+g.IntN(3))}
	}
	l, r := g.plan(depth-1), g.plan(depth-1)
	ts := []types.Type{tInt, tNumeric}
	u := &rel.Union{All: []rel.Node{g.ofTypes(l, ts), g.ofTypes(r, ts)}}
	if g.IntN(4) == 0 {
		u.All = append(u.All, &rel.Values{
			Cols: types.Schema{{Name: "c0", Type: tInt}, {Name: "c1", Type: tNumeric}},
			Rows: [][]scalar.Expr{{intConst(1), numConst("1.0")}, {intConst(2), numConst("2.50")}, {intConst(2), numConst("2.50")}},
		})
	}
	return u
}

func intConst(v int64) scalar.Expr { return &scalar.Const{Typ: tInt, Value: types.DInt(v)} }

func numConst(s string) scalar.Expr {
	d, err := types.ParseDatum(tNumeric, s)
	if err != nil {
		panic(err)
	}
	return &scalar.Const{Typ: tNumeric, Value: d}
}

// column picks a random column of a type; a constant if there is none.
func (g *generator) column(s types.Schema, t types.Type, shift int) scalar.Expr {
	var at []int
	for i, c := range s {
		if c.Type == t {
			at = append(at, i)
		}
	}
	if len(at) == 0 {
		switch t {
		case tInt:
			return intConst(1)
		case tNumeric:
			return numConst("1.0")
		case tFloat:
			return &scalar.Const{Typ: t, Value: types.DFloat(0.5)}
		}
		return &scalar.Const{Typ: t, Value: types.DString("x")}
	}
	i := at[g.IntN(len(at))]
	return &scalar.Column{Index: i + shift, Typ: t, Name: s[i].Name}
}

func call(id string, args ...scalar.Expr) scalar.Expr {
	fn := scalar.FuncByID(id)
	if fn == nil {
		panic("no function " + id)
	}
	return &scalar.Call{Fn: fn, Args: args, Typ: types.T(fn.Ret)}
}

// condition compares a random column; now and then it can fail.
func (g *generator) condition(s types.Schema) scalar.Expr {
	c := g.column(s, tInt, 0)
	switch g.IntN(6) {
	case 0:
		return call("int4gt(int4,int4)", call("int4div(int4,int4)", intConst(6), c), intConst(int64(g.IntN(3))))
	case 1:
		return &scalar.IsNull{X: c, Neg: true}
	case 2:
		return call("numeric_lt(numeric,numeric)", g.column(s, tNumeric, 0), numConst("2"))
	}
	return call("int4lt(int4,int4)", c, intConst(int64(g.IntN(6))))
}

func (g *generator) filter(in rel.Node) rel.Node {
	return &rel.Filter{Input: in, Preds: []scalar.Expr{g.condition(in.Schema())}}
}

func (g *generator) project(in rel.Node) rel.Node {
	s := in.Schema()
	p := &rel.Project{Input: in}
	for i := range s {
		if g.IntN(4) > 0 || i == 0 {
			p.Exprs = append(p.Exprs, &scalar.Column{Index: i, Typ: s[i].Type, Name: s[i].Name})
		}
	}
	if g.IntN(3) == 0 {
		p.Exprs = append(p.Exprs, call("int4div(int4,int4)", intConst(12), g.column(s, tInt, 0)))
	}
	for i := range p.Exprs {
		p.Names = append(p.Names, fmt.Sprint("c", i))
	}
	return p
}

// some picks n columns.
func (g *generator) some(in rel.Node, n int) rel.Node {
	s := in.Schema()
	p := &rel.Project{Input: in}
	for i := range n {
		c := g.IntN(len(s))
		p.Exprs = append(p.Exprs, &scalar.Column{Index: c, Typ: s[c].Type, Name: s[c].Name})
		p.Names = append(p.Names, fmt.Sprint("c", i))
	}
	return p
}

func (g *generator) ofTypes(in rel.Node, ts []types.Type) rel.Node {
	p := &rel.Project{Input: in}
	for i, t := range ts {
		p.Exprs = append(p.Exprs, g.column(in.Schema(), t, 0))
		p.Names = append(p.Names, fmt.Sprint("c", i))
	}
	return p
}

func (g *generator) join(depth int) rel.Node {
	j := &rel.Join{Kind: rel.JoinKind(g.IntN(6)), L: g.plan(depth - 1), R: g.plan(g.IntN(depth))}
	ls, rs := j.L.Schema(), j.R.Schema()
	shift := len(ls)
	switch g.IntN(5) {
	case 0:
		return g.star()
	case 1, 2:
		j.On = append(j.On, call("int4eq(int4,int4)", g.column(ls, tInt, 0), g.column(rs, tInt, shift)))
	case 3:
		j.On = append(j.On, call("numeric_eq(numeric,numeric)", g.column(ls, tNumeric, 0), g.column(rs, tNumeric, shift)))
	}
	if g.IntN(3) == 0 {
		both := slices.Concat(ls, rs)
		j.On = append(j.On, call("int4lt(int4,int4)", g.column(ls, tInt, 0), g.column(rs, tInt, shift)))
		if g.IntN(3) == 0 {
			j.On = append(j.On, g.condition(both))
		}
	}
	return j
}

// star joins rows of a table to those of another by its key.
func (g *generator) star() *rel.Join {
	side := func(t exectest.Table) rel.Node {
		var n rel.Node = &rel.Scan{ID: t.Rel, Name: t.Name, Cols: t.Cols, Key: t.Key}
		if g.IntN(2) == 0 {
			n = g.filter(n)
		}
		if g.IntN(2) == 0 {
			p := &rel.Project{Input: n}
			for _, c := range g.Perm(len(t.Cols))[:2+g.IntN(3)] {
				p.Exprs, p.Names = append(p.Exprs, &scalar.Column{Index: c, Typ: t.Cols[c].Type, Name: t.Cols[c].Name}), append(p.Names, t.Cols[c].Name)
			}
			p.Exprs, p.Names = append(p.Exprs, &scalar.Column{Index: 1, Typ: tInt, Name: "fk"}), append(p.Names, "fk")
			n = p
		}
		return n
	}
	one := g.tables[g.IntN(2)]
	j := &rel.Join{Kind: rel.JoinKind(g.IntN(6)), L: side(g.tables[g.IntN(len(g.tables))]), R: &rel.Scan{ID: one.Rel, Name: one.Name, Cols: one.Cols, Key: one.Key}}
	many := j.L.Schema()
	if j.Kind != rel.Semi && j.Kind != rel.Anti && g.IntN(2) == 0 {
		j.L, j.R = j.R, j.L
		j.On = []scalar.Expr{call("int4eq(int4,int4)", &scalar.Column{Typ: tInt, Name: "k"}, g.column(many, tInt, len(one.Cols)))}
		return j
	}
	j.On = []scalar.Expr{call("int4eq(int4,int4)", g.column(many, tInt, 0), &scalar.Column{Index: len(many), Typ: tInt, Name: "k"})}
	return j
}

var aggIDs = []string{
	"count(*)", "count(any)", "sum(int4)", "avg(int4)", "min(int4)", "max(int4)", "min(numeric)", "max(numeric)", "sum(numeric)", "avg(numeric)",
	"min(text)", "max(text)", "sum(float8)", "avg(float8)", "bit_or(int4)", "bit_and(int4)", "stddev(int4)", "var_pop(numeric)", "stddev_pop(numeric)", "variance(float8)", "max(float8)",
}

func (g *generator) groupBy(in rel.Node) rel.Node {
	s := in.Schema()
	n := &rel.GroupBy{Input: in}
	for range g.IntN(3) {
		c := g.IntN(len(s))
		n.Keys = append(n.Keys, &scalar.Column{Index: c, Typ: s[c].Type, Name: s[c].Name})
	}
	for range 1 + g.IntN(3) {
		fn := scalar.AggByID(aggIDs[g.IntN(len(aggIDs))])
		a := scalar.Agg{Fn: fn, Typ: types.T(fn.Ret)}
		if len(fn.Args) > 0 {
			t := types.T(fn.Args[0])
			if fn.Args[0] == types.Any {
				t = tNumeric
			}
			a.Args = []scalar.Expr{g.column(s, t, 0)}
			a.Distinct = g.IntN(3) == 0
		}
		if g.IntN(4) == 0 {
			a.Filter = call("int4lt(int4,int4)", g.column(s, tInt, 0), intConst(3))
		}
		n.Aggs = append(n.Aggs, a)
	}
	for i := range len(n.Keys) + len(n.Aggs) {
		n.Names = append(n.Names, fmt.Sprint("g", i))
	}
	return n
}

// row makes a random row; few values, so that they meet.
func (g *generator) row(k int) types.Row {
	row := types.AppendDatum(nil, types.Int4, types.DInt(int64(k)))
	if k < 0 {
		row = types.AppendNull(nil)
	}
	for _, t := range []types.Type{tInt, tNumeric, tText, tFloat} {
		if g.IntN(6) == 0 {
			row = types.AppendNull(row)
			continue
		}
		values := map[types.Type][]string{
			tInt: {"0", "1", "2", "3", "5"}, tNumeric: {"0", "1", "1.0", "1.00", "2.5", "2.50", "3", "-1.25", "NaN"},
			tText: {"", "a", "b", "ab"}, tFloat: {"0", "-0", "0.1", "0.2", "1e10", "-3.5"},
		}[t]
		var err error
		if row, err = types.AppendFromText(row, t, []byte(values[g.IntN(len(values))])); err != nil {
			panic(err)
		}
	}
	return row
}

// history makes n changes that a source could have sent.
func (g *generator) history(n int) []exectest.Event {
	var events []exectest.Event
	keyed := map[uint32]map[int]types.Row{1: {}, 2: {}}
	var bag []types.Row
	for range n {
		t := g.tables[g.IntN(len(g.tables))]
		e := exectest.Event{Rel: t.Rel}
		if g.IntN(40) == 0 {
			e.Op = zset.Truncate
			if t.Key != nil {
				clear(keyed[t.Rel])
			} else {
				bag = nil
			}
			events = append(events, e)
			continue
		}
		if t.Key == nil {
			at := -1
			if len(bag) > 0 && g.IntN(2) == 0 {
				at = g.IntN(len(bag))
			}
			if at < 0 || g.IntN(2) == 0 {
				e.Op, e.New = zset.Insert, g.row(g.IntN(7)-1)
			}
			if at >= 0 {
				e.Old, e.Kind = bag[at], zset.OldRow
				bag = slices.Delete(bag, at, at+1)
				if e.Op == zset.Insert {
					e.Op = zset.Update
				} else {
					e.Op = zset.Delete
				}
			}
			if e.New != nil {
				bag = append(bag, e.New)
			}
			events = append(events, e)
			continue
		}
		rows, k := keyed[t.Rel], g.IntN(8)
		old, there := rows[k]
		switch {
		case !there:
			e.Op, e.New = zset.Insert, g.row(k)
			rows[k] = e.New
		case g.IntN(3) == 0:
			e.Op, e.Kind, e.Old = zset.Delete, zset.OldKey, old
			delete(rows, k)
		default:
			to := g.IntN(8)
			if _, taken := rows[to]; taken {
				to = k
			}
			e.Op, e.New = zset.Update, g.row(to)
			if to != k {
				e.Kind, e.Old = zset.OldKey, old
			}
			rows[to], rows[k] = e.New, rows[k]
			if to != k {
				delete(rows, k)
			} else {
				rows[k] = e.New
			}
			if g.IntN(3) == 0 { // an unchanged value
				full := append(append(types.Row(nil), e.New[:start(e.New, 3)]...), old[start(old, 3):start(old, 4)]...)
				full = append(full, e.New[start(e.New, 4):]...)
				sent := append(append(types.Row(nil), e.New[:start(e.New, 3)]...), types.HeaderUnchanged)
				sent = append(sent, e.New[start(e.New, 4):]...)
				rows[to], e.New = full, sent
			}
		}
		events = append(events, e)
	}
	return events
}

// start is where column i starts.
func start(row types.Row, i int) int {
	off := 0
	for range i {
		off = types.Skip(row, off)
	}
	return off
}

func build(n rel.Node) (*physical.Sink, physical.Node, error) {
	m := memo.New()
	b := physical.NewBuilder(m, false)
	in, err := b.Build(n)
	if err != nil {
		return nil, nil, err
	}
	q, err := physical.NewBuilder(m, true).Build(n)
	return b.Sink(in), q, err
}

func TestRandomPlans(t *testing.T) {
	rng := newRand(t)
	deadline := time.Now().Add(6 * time.Second)
	n := 0
	for ; time.Now().Before(deadline); n++ {
		g := &generator{rng, tables()}
		plan := g.plan(1 + g.IntN(4))
		if testing.Verbose() {
			t.Logf("plan %d\n%s", n, rel.String(plan))
		}
		view, query, err := build(plan)
		if err != nil {
			t.Fatalf("%v\n%s", err, rel.String(plan))
		}
		events := g.history(g.IntN(60))
		if testing.Verbose() {
			t.Logf("\n%s", physical.Format(&physical.Plan{Root: view}, nil))
		}
		run, err := exectest.NewRun(g.tables, view, query)
		if err != nil {
			t.Fatalf("%v\n%s", err, physical.Format(&physical.Plan{Root: view}, nil))
		}
		fail := func(err error) {
			if err != nil {
				t.Fatalf("plan %d: %v\n%s", n, err, physical.Format(&physical.Plan{Root: view}, nil))
			}
		}
		for i := 0; ; {
			j := min(len(events), i+g.IntN(20))
			_, err := run.Tick(events[i:j])
			fail(err)
			if i = j; i == len(events) {
				break
			}
			if g.IntN(4) == 0 {
				fail(run.Check(rng))
			}
		}
		fail(run.Check(rng))
		fail(run.CheckCuts(events, 2, rng))
	}
	t.Logf("%d plans", n)
}

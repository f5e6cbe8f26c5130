package planner_test

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/helios-sql/helios-sql/sql/exec/eval"
	"github.com/helios-sql/helios-sql/sql/planner"
	"github.com/helios-sql/helios-sql/sql/planner/binder"
	"github.com/helios-sql/helios-sql/sql/planner/memo"
	"github.com/helios-sql/helios-sql/sql/planner/norm"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

var (
	seed  = flag.Uint64("seed", 0, "seed of the random plans; 0: by the clock")
	plans = flag.Int("plans", 800, "number of random plans")
)

// TestEquivalence makes random plans over random tables and checks that the
// normalized plan and both physical plans give the rows of the plan as bound, that they
// raise no error where it raises none, and that every property they claim is true of the rows.
func TestEquivalence(t *testing.T) {
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", s)
	errored := 0
	for i := range *plans {
		g := &gen{Rand: rand.New(rand.NewPCG(s, uint64(i)))}
		g.makeTables()
		n := g.node(1 + g.IntN(4))
		in := &interp{tables: g.rows}
		want, err := in.rel(n)
		if err != nil {
			errored++
			continue
		}
		if msg := compare(in, n, want); msg != "" {
			t.Fatalf("seed %d, plan %d: %s\nbound:\n%s", s, i, msg, rel.String(n))
		}
	}
	t.Logf("%d of %d plans raised errors", errored, *plans)
}

func compare(in *interp, n rel.Node, want []types.Row) string {
	m := memo.New()
	normal := norm.Normalize(m, n, norm.Options{Fold: func(e scalar.Expr) scalar.Expr {
		if f, err := eval.Fold(e); err == nil {
			return f
		}
		return e
	}})
	bad := ""
	in.check = func(n any, rows []types.Row) {
		if bad != "" {
			return
		}
		if r, ok := n.(rel.Node); ok {
			bad = checkProps(m.Props(r), r.Schema().Types(), rows)
		}
		if p, ok := n.(physical.Node); ok {
			bad = checkUnique(p, rows)
		}
	}
	got, err := in.rel(normal)
	if err != nil && keyCanError(normal) {
		return ""
	}
	if bad == "" {
		bad = differ(want, got, err)
	}
	if bad != "" {
		return fmt.Sprintf("normalized: %s\n%s", bad, rel.String(normal))
	}
	q := &binder.Query{Root: n, Visible: len(n.Schema()), Cols: n.Schema()}
	for _, mode := range []planner.Mode{planner.View, planner.OneShot} {
		p, err := planner.Plan(q, mode)
		if err != nil {
			return err.Error()
		}
		got, err := in.physical(p.Root)
		if bad == "" {
			bad = differ(want, got, err)
		}
		if bad != "" {
			return fmt.Sprintf("physical, mode %d: %s\n%s\nnormalized:\n%s", mode, bad, physical.Format(p, nil), rel.String(normal))
		}
	}
	pn, args := parametrize(n)
	q.Root = pn
	p, err := planner.Plan(q, planner.OneShot)
	if err != nil {
		return err.Error()
	}
	bound := physical.SubstituteParams(p, args)
	got, err = in.physical(bound.Root)
	if err != nil && keyCanError(norm.Normalize(memo.New(), pn, norm.Options{})) {
		return ""
	}
	if bad == "" {
		bad = differ(want, got, err)
	}
	if bad != "" {
		return fmt.Sprintf("prepared: %s\n%s", bad, physical.Format(bound, nil))
	}
	return ""
}

// keyCanError: a join has only an equality for a key that can raise an error. It is
// computed for each row of its side, as PostgreSQL does, also when the other side has none.
func keyCanError(n rel.Node) bool {
	if p, ok := n.(*rel.Project); ok {
		for i, e := range p.Exprs {
			if p.Names[i] == "key" && scalar.CanError(e) {
				return true
			}
		}
	}
	return slices.ContainsFunc(n.Inputs(), keyCanError)
}

// parametrize puts parameters in place of all constants.
func parametrize(n rel.Node) (rel.Node, []types.Datum) {
	var args []types.Datum
	var walk func(n rel.Node) rel.Node
	walk = func(n rel.Node) rel.Node {
		in := slices.Clone(n.Inputs())
		for i, c := range in {
			in[i] = walk(c)
		}
		return rel.TransformExprs(rel.WithInputs(n, in), func(e scalar.Expr) scalar.Expr {
			return scalar.Rewrite(e, func(e scalar.Expr) scalar.Expr {
				c, ok := e.(*scalar.Const)
				if !ok {
					return e
				}
				args = append(args, c.Value)
				return &scalar.Param{N: len(args), Typ: c.Typ}
			})
		})
	}
	return walk(n), args
}

func differ(want, got []types.Row, err error) string {
	if err != nil {
		return fmt.Sprintf("a new error: %v", err)
	}
	sorted := func(rows []types.Row) []types.Row {
		rows = slices.Clone(rows)
		slices.SortFunc(rows, func(a, b types.Row) int { return bytes.Compare(a, b) })
		return rows
	}
	if w, g := sorted(want), sorted(got); !slices.EqualFunc(w, g, func(a, b types.Row) bool { return bytes.Equal(a, b) }) {
		return fmt.Sprintf("other rows: want %x, got %x", w, g)
	}
	return ""
}

func checkKey(key []int, ts []types.Type, rows []types.Row) string {
	seen := map[string]bool{}
	for _, r := range rows {
		k, _ := keyOf(r, ts, key)
		if seen[string(k)] {
			return fmt.Sprintf("%v is not a unique key of %x", key, rows)
		}
		seen[string(k)] = true
	}
	return ""
}

func checkProps(p *memo.Props, ts []types.Type, rows []types.Row) string {
	for _, k := range p.Keys {
		if bad := checkKey(k, ts, rows); bad != "" {
			return bad
		}
	}
	for _, r := range rows {
		for c := range ts {
			k, null := keyOf(r, ts, []int{c})
			if null && p.NotNull[c] {
				return fmt.Sprintf("column %d is NULL in %x", c, r)
			}
			if f, ok := p.Fixed[c].(*scalar.Const); ok && !bytes.Equal(k, types.AppendKeyDatum(nil, ts[c].OID, f.Value)) {
				return fmt.Sprintf("column %d is not %s in %x", c, scalar.String(f), r)
			}
		}
	}
	return ""
}

func checkUnique(n physical.Node, rows []types.Row) string {
	if s, ok := n.(*physical.Sink); ok && s.Key != nil {
		if bad := checkKey(s.Key, s.Out, rows); bad != "" {
			return bad
		}
	}
	if a, ok := n.(*physical.Arrange); ok && a.Unique != nil {
		return checkKey(a.Unique, a.Out, rows)
	}
	if j, ok := n.(*physical.Join); ok && j.Unique != nil {
		return checkKey(j.Unique, j.Out, rows)
	}
	if m, ok := n.(*physical.Map); ok && m.Unique != nil {
		return checkKey(m.Unique, m.Out, rows)
	}
	return ""
}

// A gen makes random tables and plans.
type gen struct {
	*rand.Rand
	scans []*rel.Scan
	rows  map[uint32][]types.Row
}

var columnTypes = []types.OID{types.Int4, types.Int4, types.Int8, types.Text, types.Bool}

func (g *gen) makeTables() {
	g.rows = map[uint32][]types.Row{}
	for id := uint32(1); id <= 3; id++ {
		s := &rel.Scan{ID: id, Name: fmt.Sprintf("t%d", id)}
		for c := range 2 + g.IntN(4) {
			s.Cols = append(s.Cols, types.Column{Name: fmt.Sprintf("c%d", c), Type: types.T(columnTypes[(c+g.IntN(2))%5]), NotNull: g.IntN(3) == 0})
		}
		if g.IntN(3) > 0 {
			s.Key = g.Perm(len(s.Cols))[:1+g.IntN(2)]
			for _, c := range s.Key {
				s.Cols[c].NotNull = true
			}
		}
		seen := map[string]bool{}
		for range g.IntN(7) {
			r := types.Row{}
			for _, c := range s.Cols {
				r = types.AppendDatum(r, c.Type.OID, g.datum(c.Type.OID, !c.NotNull))
			}
			k, _ := keyOf(r, s.Cols.Types(), s.Key)
			if s.Key == nil || !seen[string(k)] {
				seen[string(k)] = true
				g.rows[id] = append(g.rows[id], r)
			}
		}
		g.scans = append(g.scans, s)
	}
}

func (g *gen) datum(t types.OID, null bool) types.Datum {
	if null && g.IntN(4) == 0 {
		return types.NullDatum
	}
	switch t {
	case types.Bool:
		return types.DBool(g.IntN(2) == 0)
	case types.Text:
		return types.DString([]string{"a", "A", "b"}[g.IntN(3)])
	}
	return types.DInt(int64(g.IntN(4)))
}

func names(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("x%d", i)
	}
	return out
}

func (g *gen) node(depth int) rel.Node {
	if depth == 0 {
		if g.IntN(12) == 0 {
			v := &rel.Values{Cols: types.Schema{{Name: "v", Type: types.T(types.Int4)}, {Name: "w", Type: types.T(types.Text)}}}
			for range g.IntN(3) {
				v.Rows = append(v.Rows, []scalar.Expr{g.constant(types.Int4), g.constant(types.Text)})
			}
			return v
		}
		return g.scans[g.IntN(len(g.scans))]
	}
	switch g.IntN(10) {
	case 0, 1, 2:
		in := g.node(depth - 1)
		return &rel.Filter{Input: in, Preds: g.preds(in.Schema(), 1+g.IntN(2))}
	case 3:
		in := g.node(depth - 1)
		p := &rel.Project{Input: in}
		for range 1 + g.IntN(3) {
			p.Exprs = append(p.Exprs, g.expr(in.Schema(), columnTypes[g.IntN(5)], 2))
		}
		p.Names = names(len(p.Exprs))
		return p
	case 4, 5, 6, 7:
		l, r := g.node(depth-1), g.node(g.IntN(depth))
		j := &rel.Join{Kind: rel.JoinKind(g.IntN(6)), L: l, R: r}
		both := slices.Concat(l.Schema(), r.Schema())
		if g.IntN(4) > 0 {
			j.On = g.equality(both, len(l.Schema()))
		}
		if g.IntN(3) == 0 || len(j.On) == 0 && g.IntN(2) == 0 {
			j.On = append(j.On, g.preds(both, 1)...)
		}
		if g.IntN(2) == 0 { // as a comma join has it
			return &rel.Filter{Input: &rel.Join{L: l, R: r}, Preds: append(j.On, g.preds(both, 1)...)}
		}
		return j
	case 8:
		return g.groupBy(depth)
	}
	if g.IntN(2) == 0 {
		return &rel.Distinct{Input: g.node(depth - 1)}
	}
	in := g.node(depth - 1)
	return &rel.Union{All: []rel.Node{in, &rel.Filter{Input: in, Preds: g.preds(in.Schema(), 1)}}}
}

// equality equates a column of each side, where there are two of a type.
func (g *gen) equality(both types.Schema, nl int) []scalar.Expr {
	if nl == 0 || nl == len(both) {
		return nil
	}
	for range 5 {
		l, r := g.IntN(nl), nl+g.IntN(len(both)-nl)
		id, ok := map[[2]types.OID]string{
			{types.Int4, types.Int4}: "int4eq(int4,int4)", {types.Int8, types.Int8}: "int8eq(int8,int8)",
			{types.Text, types.Text}: "texteq(text,text)", {types.Int4, types.Int8}: "int48eq(int4,int8)", {types.Int8, types.Int4}: "int84eq(int8,int4)",
		}[[2]types.OID{both[l].Type.OID, both[r].Type.OID}]
		if ok {
			return []scalar.Expr{call(id, rel.ColumnExprs(both, l, l+1)[0], rel.ColumnExprs(both, r, r+1)[0])}
		}
	}
	return nil
}

func (g *gen) groupBy(depth int) rel.Node {
	in := g.node(depth - 1)
	s := in.Schema()
	b := &rel.GroupBy{Input: in}
	for range g.IntN(3) {
		b.Keys = append(b.Keys, g.expr(s, columnTypes[g.IntN(5)], g.IntN(2)))
	}
	for range g.IntN(3) {
		id := []string{"count(*)", "count(any)", "sum(int4)", "min(int4)", "max(int4)"}[g.IntN(5)]
		fn := scalar.AggByID(id)
		a := scalar.Agg{Fn: fn, Typ: types.T(fn.Ret)}
		if id != "count(*)" {
			a.Args = []scalar.Expr{g.expr(s, types.Int4, 1)}
			a.Distinct = g.IntN(3) == 0
		}
		if g.IntN(4) == 0 {
			a.Filter = g.pred(s, 1)
		}
		b.Aggs = append(b.Aggs, a)
	}
	b.Names = names(len(b.Keys) + len(b.Aggs))
	return b
}

func (g *gen) preds(s types.Schema, n int) []scalar.Expr {
	var out []scalar.Expr
	for range n {
		out = append(out, g.pred(s, 2))
	}
	return out
}

func call(id string, args ...scalar.Expr) scalar.Expr {
	fn := scalar.FuncByID(id)
	return &scalar.Call{Fn: fn, Args: args, Typ: types.T(fn.Ret)}
}

func (g *gen) constant(t types.OID) scalar.Expr {
	return &scalar.Const{Typ: types.T(t), Value: g.datum(t, true)}
}

// expr makes an expression of a type.
func (g *gen) expr(s types.Schema, t types.OID, depth int) scalar.Expr {
	if t == types.Bool && depth > 0 {
		return g.pred(s, depth)
	}
	if depth == 0 || g.IntN(2) == 0 {
		if len(s) > 0 && g.IntN(5) > 0 {
			for range 4 {
				if i := g.IntN(len(s)); s[i].Type.OID == t {
					return rel.ColumnExprs(s, i, i+1)[0]
				}
			}
		}
		return g.constant(t)
	}
	x := func() scalar.Expr { return g.expr(s, t, depth-1) }
	switch g.IntN(6) {
	case 0:
		return &scalar.Coalesce{Args: []scalar.Expr{x(), x()}, Typ: types.T(t)}
	case 1:
		return &scalar.Case{Whens: []scalar.When{{Cond: g.pred(s, depth-1), Result: x()}}, Else: x(), Typ: types.T(t)}
	case 2:
		if t == types.Int4 {
			return call("int4div(int4,int4)", x(), x())
		}
	}
	switch t {
	case types.Int4:
		return call("int4pl(int4,int4)", x(), x())
	case types.Int8:
		return call("int8(int4)", g.expr(s, types.Int4, depth-1))
	case types.Text:
		return call("lower(text)", x())
	}
	return x()
}

// pred makes a boolean expression.
func (g *gen) pred(s types.Schema, depth int) scalar.Expr {
	if depth == 0 {
		return g.expr(s, types.Bool, 0)
	}
	i4 := func() scalar.Expr { return g.expr(s, types.Int4, depth-1) }
	switch g.IntN(14) {
	case 0:
		return &scalar.Logic{Or: g.IntN(2) == 0, Args: []scalar.Expr{g.pred(s, depth-1), g.pred(s, depth-1)}}
	case 1:
		return &scalar.Not{X: g.pred(s, depth-1)}
	case 2, 3:
		return &scalar.IsNull{X: g.expr(s, columnTypes[g.IntN(5)], depth-1), Neg: g.IntN(2) == 0}
	case 4:
		return &scalar.IsBool{X: g.pred(s, depth-1), Want: g.IntN(2) == 0, Neg: g.IntN(2) == 0}
	case 5:
		return &scalar.InList{X: i4(), List: []types.Datum{types.DInt(1), types.DInt(2)}, HasNull: g.IntN(4) == 0, Neg: g.IntN(2) == 0}
	case 6:
		return &scalar.Distinct{L: i4(), R: i4(), Eq: scalar.FuncByID("int4eq(int4,int4)"), Neg: g.IntN(2) == 0}
	case 7:
		return call("texteq(text,text)", g.expr(s, types.Text, 0), g.expr(s, types.Text, depth-1))
	case 8:
		return call("int4lt(int4,int4)", i4(), i4())
	case 9:
		return call("int8ge(int8,int8)", g.expr(s, types.Int8, 0), g.constant(types.Int8))
	case 10:
		return call("int48eq(int4,int8)", i4(), g.expr(s, types.Int8, depth-1))
	case 11:
		return g.expr(s, types.Bool, 0)
	}
	return call("int4eq(int4,int4)", g.expr(s, types.Int4, 0), i4())
}

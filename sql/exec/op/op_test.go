package op_test

import (
	"fmt"
	"math/rand/v2"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/helios-sql/helios-sql/sql/exec/internal/exectest"
	"github.com/helios-sql/helios-sql/sql/exec/op"
	"github.com/helios-sql/helios-sql/sql/planner/memo"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/helios-sql/helios-sql/sql/zset"
)

// TestOperators runs the files of testdata. After every tick it also checks
// that the integral of the deltas equals a batch evaluation, a hydration, and the result of
// ten other cuts of the history into ticks.
//
//	table name=t cols=(int4,text) [key=(0)]
//	op join|reduce|distinct|union|map|values|scan in=(t,…) …
//	tick
//	t + (1, a)                   also -, +2, -3: rows of a table without a key
//	t insert|update|delete …     what a source says: update (new), update key|row (old) to (new),
//	                             delete key|row (old), truncate
//	integral
func TestOperators(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		f := &file{rng: rand.New(rand.NewPCG(1, 2))}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			out, err := f.run(d)
			if err != nil {
				d.Fatalf(t, "%v", err)
			}
			return out
		})
	})
}

type file struct {
	rng     *rand.Rand
	tables  []exectest.Table
	view    *physical.Sink
	current *exectest.Run
	history []exectest.Event
}

func (f *file) run(d *datadriven.TestData) (string, error) {
	switch d.Cmd {
	case "table":
		return "", f.table(d)
	case "op":
		n, err := f.node(d)
		if err != nil {
			return "", err
		}
		b := physical.NewBuilder(memo.New(), false)
		in, err := b.Build(n)
		if err != nil {
			return "", err
		}
		f.view, f.history = b.Sink(in), nil
		f.current, err = exectest.NewRun(f.tables, f.view, in)
		return "", err
	case "tick":
		events, err := f.events(d.Input)
		if err != nil {
			return "", err
		}
		f.history = append(f.history, events...)
		delta, err := f.current.Tick(events)
		if err != nil {
			return "", err
		}
		out := f.format(&delta.Rows, &delta.Errs)
		if err := f.current.Check(f.rng); err != nil {
			return "", err
		}
		return out, f.current.CheckCuts(f.history, 10, f.rng)
	case "integral":
		return f.format(&f.current.Rows, &f.current.Errs), nil
	}
	return "", fmt.Errorf("unknown command %s", d.Cmd)
}

func (f *file) format(rows, errs *zset.Batch) string {
	lines := strings.SplitAfter(exectest.FormatBatch(f.view.Types(), rows), "\n")
	for i := range errs.Len() {
		e := op.ErrorOf(errs.Row(i))
		lines = append(lines, fmt.Sprintf("%+d error %s: %s\n", errs.Weight(i), e.Code, e.Message))
	}
	text := func(s string) string { return s[strings.Index(s+" ", " "):] }
	sort.SliceStable(lines, func(i, j int) bool { return text(lines[i]) < text(lines[j]) })
	return strings.Join(lines, "")
}

func (f *file) table(d *datadriven.TestData) error {
	t := exectest.Table{Rel: uint32(len(f.tables) + 1)}
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "name":
			t.Name = a.Vals[0]
		case "cols":
			for i, name := range a.Vals {
				oid, ok := types.OIDByName(name)
				if !ok {
					return fmt.Errorf("no type %s", name)
				}
				t.Cols = append(t.Cols, types.Column{Name: fmt.Sprint("c", i), Type: types.T(oid)})
			}
		case "key":
			for _, v := range a.Vals {
				i, err := strconv.Atoi(v)
				if err != nil {
					return err
				}
				t.Key = append(t.Key, i)
				t.Cols[i].NotNull = true
			}
		}
	}
	f.tables = append(f.tables, t)
	return nil
}

var joinKinds = map[string]rel.JoinKind{"inner": rel.Inner, "left": rel.Left, "right": rel.Right, "full": rel.Full, "semi": rel.Semi, "anti": rel.Anti}

func (f *file) node(d *datadriven.TestData) (rel.Node, error) {
	args := map[string][]string{}
	for _, a := range d.CmdArgs {
		args[a.Key] = a.Vals
	}
	var in []rel.Node
	for _, name := range args["in"] {
		for _, t := range f.tables {
			if t.Name == name {
				in = append(in, &rel.Scan{ID: t.Rel, Name: t.Name, Cols: t.Cols, Key: t.Key})
			}
		}
	}
	if len(in) != len(args["in"]) {
		return nil, fmt.Errorf("unknown input among %v", args["in"])
	}
	switch d.CmdArgs[0].Key {
	case "scan":
		return in[0], nil
	case "distinct":
		return &rel.Distinct{Input: in[0]}, nil
	case "union":
		return &rel.Union{All: in}, nil
	case "map":
		preds, err := parseExprs(in[0].Schema(), args["where"])
		if err != nil {
			return nil, err
		}
		exprs, err := parseExprs(in[0].Schema(), args["exprs"])
		if err != nil {
			return nil, err
		}
		out := in[0]
		if preds != nil {
			out = &rel.Filter{Input: out, Preds: preds}
		}
		if exprs != nil {
			out = &rel.Project{Input: out, Exprs: exprs, Names: args["exprs"]}
		}
		return out, nil
	case "values":
		v := &rel.Values{Cols: types.Schema{{Name: "c0", Type: types.T(types.Int4)}}}
		for _, s := range args["rows"] {
			e, err := parseExprs(nil, []string{s})
			if err != nil {
				return nil, err
			}
			v.Rows = append(v.Rows, e)
		}
		return v, nil
	case "join":
		on, err := parseExprs(append(in[0].Schema(), in[1].Schema()...), args["on"])
		return &rel.Join{Kind: joinKinds[args["kind"][0]], L: in[0], R: in[1], On: on}, err
	case "reduce":
		return reduceNode(in[0], args)
	}
	return nil, fmt.Errorf("unknown operator %s", d.CmdArgs[0].Key)
}

// reduceNode reads aggregates such as count, sum:1, sum:1:distinct, sum:1:filter:2.
func reduceNode(in rel.Node, args map[string][]string) (rel.Node, error) {
	n := &rel.GroupBy{Input: in}
	var err error
	if n.Keys, err = parseExprs(in.Schema(), args["keys"]); err != nil {
		return nil, err
	}
	for _, spec := range args["aggs"] {
		parts := strings.Split(spec, ":")
		var a scalar.Agg
		if len(parts) > 1 {
			if a.Args, err = parseExprs(in.Schema(), parts[1:2]); err != nil {
				return nil, err
			}
		}
		for _, fn := range scalar.Aggregates(parts[0]) {
			if len(fn.Args) == len(a.Args) && (len(fn.Args) == 0 || fn.Args[0] == types.Any || fn.Args[0] == a.Args[0].Type().OID) {
				a.Fn, a.Typ = fn, types.T(fn.Ret)
			}
		}
		if a.Fn == nil {
			return nil, fmt.Errorf("no aggregate %s", spec)
		}
		for i := 2; i < len(parts); i++ {
			switch parts[i] {
			case "distinct":
				a.Distinct = true
			case "filter":
				e, err := parseExprs(in.Schema(), parts[i+1:])
				if err != nil {
					return nil, err
				}
				a.Filter = e[0]
				i = len(parts)
			}
		}
		n.Aggs = append(n.Aggs, a)
	}
	for i := range len(n.Keys) + len(n.Aggs) {
		n.Names = append(n.Names, fmt.Sprint("g", i))
	}
	return n, nil
}

// parseExprs reads expressions of int4 constants, columns c0, c1, … and one
// operator between two of them.
func parseExprs(s types.Schema, texts []string) ([]scalar.Expr, error) {
	var out []scalar.Expr
	for _, text := range texts {
		e, err := parseExpr(s, text)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

func parseExpr(s types.Schema, text string) (scalar.Expr, error) {
	i := strings.IndexAny(text, "<>=")
	if i < 0 {
		i = strings.IndexAny(text, "/+")
	}
	if i > 0 {
		l, err := parseExpr(s, text[:i])
		if err != nil {
			return nil, err
		}
		r, err := parseExpr(s, text[i+1:])
		if err != nil {
			return nil, err
		}
		for _, fn := range scalar.Operators(text[i : i+1]) {
			if len(fn.Args) == 2 && fn.Args[0] == l.Type().OID && fn.Args[1] == r.Type().OID {
				return &scalar.Call{Fn: fn, Args: []scalar.Expr{l, r}, Typ: types.T(fn.Ret)}, nil
			}
		}
		return nil, fmt.Errorf("no operator in %s", text)
	}
	if i, err := strconv.Atoi(strings.TrimPrefix(text, "c")); err == nil && text[0] == 'c' && i < len(s) {
		return &scalar.Column{Index: i, Typ: s[i].Type, Name: s[i].Name}, nil
	}
	v, err := strconv.Atoi(text)
	return &scalar.Const{Typ: types.T(types.Int4), Value: types.DInt(int64(v))}, err
}

func (f *file) events(input string) ([]exectest.Event, error) {
	var events []exectest.Event
	for line := range strings.Lines(input) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		verb, rest, _ := strings.Cut(rest, " ")
		for _, t := range f.tables {
			if t.Name != name {
				continue
			}
			es, err := event(t, verb, rest)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", line, err)
			}
			events = append(events, es...)
		}
	}
	return events, nil
}

func event(t exectest.Table, verb, rest string) ([]exectest.Event, error) {
	e := exectest.Event{Rel: t.Rel}
	ts := t.Cols.Types()
	var err error
	switch verb {
	case "truncate":
		e.Op = zset.Truncate
		return []exectest.Event{e}, nil
	case "insert":
		e.Op = zset.Insert
		e.New, err = exectest.ParseRow(ts, rest)
		return []exectest.Event{e}, err
	case "update", "delete":
		e.Op = zset.Update
		if verb == "delete" {
			e.Op = zset.Delete
		}
		for word, kind := range map[string]zset.OldKind{"key ": zset.OldKey, "row ": zset.OldRow} {
			if strings.HasPrefix(rest, word) {
				var old string
				old, rest, _ = strings.Cut(strings.TrimPrefix(rest, word), " to ")
				e.Kind = kind
				if e.Old, err = exectest.ParseRow(ts, old); err != nil {
					return nil, err
				}
			}
		}
		if e.Op == zset.Update {
			e.New, err = exectest.ParseRow(ts, rest)
		}
		return []exectest.Event{e}, err
	}
	w, err := exectest.ParseWeight(verb)
	if err != nil {
		return nil, err
	}
	row, err := exectest.ParseRow(ts, rest)
	if e.Op, e.New = zset.Insert, row; w < 0 {
		e.Op, e.Kind, e.Old, e.New, w = zset.Delete, zset.OldRow, row, nil, -w
	}
	var events []exectest.Event
	for range w {
		events = append(events, e)
	}
	return events, err
}

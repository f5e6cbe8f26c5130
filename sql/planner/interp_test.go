package planner_test

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/helios-sql/helios-sql/sql/exec/eval"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// An interp evaluates plans in the plainest way: what they mean, for the tests.
type interp struct {
	tables map[uint32][]types.Row
	// check is told the rows of every node.
	check func(n any, rows []types.Row)
}

// value evaluates one expression over one row.
func value(e scalar.Expr, row types.Row, ts []types.Type) (types.Datum, error) {
	p, err := eval.Compile(e, ts)
	if err != nil {
		panic(err)
	}
	f := eval.NewFrame(nil)
	f.SetRow(row)
	d, err := p.Eval(f)
	d.B = slices.Clone(d.B)
	return d, err
}

// passes evaluates predicates in order, up to the first that is not true.
func passes(preds []scalar.Expr, row types.Row, ts []types.Type) (bool, error) {
	for _, p := range preds {
		d, err := value(p, row, ts)
		if err != nil || !d.Bool() {
			return false, err
		}
	}
	return true, nil
}

func compute(es []scalar.Expr, row types.Row, ts []types.Type) (types.Row, error) {
	out := types.Row{}
	for _, e := range es {
		d, err := value(e, row, ts)
		if err != nil {
			return nil, err
		}
		out = types.AppendDatum(out, e.Type().OID, d)
	}
	return out, nil
}

func mapRows(in []types.Row, ts []types.Type, preds, exprs []scalar.Expr) ([]types.Row, error) {
	var out []types.Row
	for _, r := range in {
		ok, err := passes(preds, r, ts)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if exprs != nil {
			if r, err = compute(exprs, r, ts); err != nil {
				return nil, err
			}
		}
		out = append(out, r)
	}
	return out, nil
}

func nullRow(ts []types.Type) types.Row { return make(types.Row, len(ts)) }

// join pairs rows for which match holds.
func join(kind rel.JoinKind, l, r []types.Row, lts, rts []types.Type, match func(both types.Row) (bool, error)) ([]types.Row, error) {
	var out []types.Row
	hit := make([]bool, len(r))
	for _, a := range l {
		found := false
		for i, b := range r {
			both := slices.Concat(a, b)
			ok, err := match(both)
			if err != nil {
				return nil, err
			}
			if !ok {
				continue
			}
			found, hit[i] = true, true
			if kind != rel.Semi && kind != rel.Anti {
				out = append(out, both)
			}
		}
		switch {
		case found == (kind == rel.Semi) && (kind == rel.Semi || kind == rel.Anti):
			out = append(out, a)
		case !found && (kind == rel.Left || kind == rel.Full):
			out = append(out, slices.Concat(a, nullRow(rts)))
		}
	}
	for i, b := range r {
		if !hit[i] && (kind == rel.Right || kind == rel.Full) {
			out = append(out, slices.Concat(nullRow(lts), b))
		}
	}
	return out, nil
}

func distinct(rows []types.Row) []types.Row {
	var out []types.Row
	seen := map[string]bool{}
	for _, r := range rows {
		if !seen[string(r)] {
			seen[string(r)] = true
			out = append(out, r)
		}
	}
	return out
}

// An aggregate of a grouping: filter and argument per row, nil: none.
type aggregate struct {
	name        string
	distinct    bool
	filter, arg func(types.Row) (types.Datum, error)
	in, out     types.OID
}

func group(rows []types.Row, key func(types.Row) (types.Row, error), global bool, aggs []aggregate) ([]types.Row, error) {
	groups := map[string][]types.Row{}
	var order []string
	if global {
		groups[""], order = nil, []string{""}
	}
	for _, r := range rows {
		k, err := key(r)
		if err != nil {
			return nil, err
		}
		if _, ok := groups[string(k)]; !ok {
			order = append(order, string(k))
		}
		groups[string(k)] = append(groups[string(k)], r)
	}
	var out []types.Row
	for _, k := range order {
		row := types.Row(k)
		for _, a := range aggs {
			d, err := a.run(groups[k])
			if err != nil {
				return nil, err
			}
			row = types.AppendDatum(row, a.out, d)
		}
		out = append(out, row)
	}
	return out, nil
}

func (a aggregate) run(rows []types.Row) (types.Datum, error) {
	var vals []types.Datum
	seen := map[string]bool{}
	for _, r := range rows {
		if a.filter != nil {
			if d, err := a.filter(r); err != nil || !d.Bool() {
				if err != nil {
					return d, err
				}
				continue
			}
		}
		d := types.DInt(1)
		if a.arg != nil {
			var err error
			if d, err = a.arg(r); err != nil {
				return d, err
			}
		}
		if k := string(types.AppendDatum(nil, a.in, d)); d.Null || a.distinct && seen[k] {
			continue
		} else {
			seen[k] = true
		}
		vals = append(vals, d)
	}
	if a.name == "count" {
		return types.DInt(int64(len(vals))), nil
	}
	if len(vals) == 0 {
		return types.NullDatum, nil
	}
	best := vals[0]
	for _, v := range vals[1:] {
		switch {
		case a.name == "sum":
			best.I += v.I
		case a.name == "min" && v.I < best.I, a.name == "max" && v.I > best.I:
			best = v
		}
	}
	return best, nil
}

func (in *interp) rel(n rel.Node) (rows []types.Row, err error) {
	defer func() {
		if err == nil && in.check != nil {
			in.check(n, rows)
		}
	}()
	var inputs [][]types.Row
	var ts [][]types.Type
	for _, c := range n.Inputs() {
		r, err := in.rel(c)
		if err != nil {
			return nil, err
		}
		inputs, ts = append(inputs, r), append(ts, c.Schema().Types())
	}
	switch n := n.(type) {
	case *rel.Scan:
		return in.tables[n.ID], nil
	case *rel.Values:
		for _, r := range n.Rows {
			row, err := compute(r, nil, nil)
			if err != nil {
				return nil, err
			}
			rows = append(rows, row)
		}
		return rows, nil
	case *rel.Filter:
		return mapRows(inputs[0], ts[0], n.Preds, nil)
	case *rel.Project:
		return mapRows(inputs[0], ts[0], nil, append([]scalar.Expr{}, n.Exprs...))
	case *rel.Join:
		both := slices.Concat(ts[0], ts[1])
		return join(n.Kind, inputs[0], inputs[1], ts[0], ts[1], func(r types.Row) (bool, error) { return passes(n.On, r, both) })
	case *rel.GroupBy:
		var aggs []aggregate
		over := func(e scalar.Expr) func(types.Row) (types.Datum, error) {
			return func(r types.Row) (types.Datum, error) { return value(e, r, ts[0]) }
		}
		for _, a := range n.Aggs {
			g := aggregate{name: a.Fn.Name, distinct: a.Distinct, in: types.Int8, out: a.Typ.OID}
			if len(a.Args) > 0 {
				g.arg, g.in = over(a.Args[0]), a.Args[0].Type().OID
			}
			if a.Filter != nil {
				g.filter = over(a.Filter)
			}
			aggs = append(aggs, g)
		}
		return group(inputs[0], func(r types.Row) (types.Row, error) { return compute(n.Keys, r, ts[0]) }, len(n.Keys) == 0, aggs)
	case *rel.Distinct:
		return distinct(inputs[0]), nil
	case *rel.Union:
		return slices.Concat(inputs...), nil
	}
	panic(fmt.Sprintf("%T", n))
}

// keyOf encodes columns of a row; null: one of them is NULL.
func keyOf(row types.Row, ts []types.Type, cols []int) (key []byte, null bool) {
	spans := row.Spans(len(ts), nil)
	for _, c := range cols {
		null = null || spans[c].Len < 0
		key = types.AppendKeySpan(key, ts[c].OID, row, spans[c])
	}
	return key, null
}

func (in *interp) physical(n physical.Node) (rows []types.Row, err error) {
	defer func() {
		if err == nil && in.check != nil {
			in.check(n, rows)
		}
	}()
	var inputs [][]types.Row
	for _, c := range n.Inputs() {
		r, err := in.physical(c)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, r)
	}
	switch n := n.(type) {
	case *physical.Source:
		for _, r := range in.tables[n.Relation] {
			if n.Lookup == nil || inRange(n, r) {
				rows = append(rows, r)
			}
		}
		return rows, nil
	case *physical.Constant:
		return n.Rows, nil
	case *physical.Map:
		return mapRows(inputs[0], n.Input.Types(), n.Preds, n.Exprs)
	case *physical.Arrange:
		return inputs[0], nil
	case *physical.Sink:
		return inputs[0], nil
	case *physical.Join:
		lts, rts := n.L.Types(), n.R.Types()
		both := slices.Concat(lts, rts)
		rkey := make([]int, len(n.RKey))
		for i, c := range n.RKey {
			rkey[i] = c + len(lts)
		}
		return join(n.Kind, inputs[0], inputs[1], lts, rts, func(r types.Row) (bool, error) {
			l, lnull := keyOf(r, both, n.LKey)
			k, rnull := keyOf(r, both, rkey)
			if lnull || rnull || !bytes.Equal(l, k) {
				return false, nil
			}
			return passes(n.Residual, r, both)
		})
	case *physical.Reduce:
		ts := n.Input.Types()
		column := func(c int) func(types.Row) (types.Datum, error) {
			return func(r types.Row) (types.Datum, error) {
				return types.DecodeSpan(ts[c].OID, r, r.Spans(len(ts), nil)[c]), nil
			}
		}
		var aggs []aggregate
		for _, a := range n.Aggs {
			g := aggregate{name: a.Fn.Name, distinct: a.Distinct, in: types.Int8, out: a.Typ.OID}
			if a.Arg >= 0 {
				g.arg, g.in = column(a.Arg), ts[a.Arg].OID
			}
			if a.Filter >= 0 {
				g.filter = column(a.Filter)
			}
			aggs = append(aggs, g)
		}
		key := func(r types.Row) (types.Row, error) {
			k := types.Row{}
			for _, c := range n.Keys {
				d, _ := column(c)(r)
				k = types.AppendDatum(k, ts[c].OID, d)
			}
			return k, nil
		}
		return group(inputs[0], key, len(n.Keys) == 0, aggs)
	case *physical.Distinct:
		return distinct(inputs[0]), nil
	case *physical.Union:
		return slices.Concat(inputs...), nil
	}
	panic(fmt.Sprintf("%T", n))
}

// inRange tells whether a row lies in the key range of a look-up.
func inRange(n *physical.Source, row types.Row) bool {
	l := n.Lookup
	for i, e := range l.Eq {
		have, _ := keyOf(row, n.Out, n.Key[i:i+1])
		if !bytes.Equal(have, keyConst(e, n.Out[n.Key[i]].OID)) {
			return false
		}
	}
	if l.Low == nil && l.High == nil {
		return true
	}
	c := n.Key[len(l.Eq)]
	have, _ := keyOf(row, n.Out, []int{c})
	if l.Low != nil {
		if d := bytes.Compare(have, keyConst(l.Low, n.Out[c].OID)); d < 0 || d == 0 && l.LowX {
			return false
		}
	}
	if l.High != nil {
		if d := bytes.Compare(have, keyConst(l.High, n.Out[c].OID)); d > 0 || d == 0 && l.HighX {
			return false
		}
	}
	return true
}

func keyConst(e scalar.Expr, t types.OID) []byte {
	return types.AppendKeyDatum(nil, t, e.(*scalar.Const).Value)
}

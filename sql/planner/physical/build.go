package physical

import (
	"fmt"
	"slices"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/memo"
	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// A Builder turns normalized plans into operators. Equal operators become
// one node. It serves one planning.
type Builder struct {
	memo    *memo.Memo
	oneShot bool
	nodes   map[Fingerprint]Node
	keys    map[Node]memo.Keys
	done    map[rel.Node]Node
}

// NewBuilder makes a builder for plans of a memo; oneShot: the plan is for a
// query that runs once, so that sources may be narrowed to key ranges.
func NewBuilder(m *memo.Memo, oneShot bool) *Builder {
	return &Builder{memo: m, oneShot: oneShot, nodes: map[Fingerprint]Node{}, keys: map[Node]memo.Keys{}, done: map[rel.Node]Node{}}
}

// Build gives the operators of a plan, with the plan's columns.
func (b *Builder) Build(n rel.Node) (Node, error) {
	n = b.memo.Intern(n)
	if out, ok := b.done[n]; ok {
		return out, nil
	}
	out, err := b.build(n)
	if err != nil {
		return nil, err
	}
	b.done[n] = out
	return out, nil
}

// Sink materializes a view's root under its best unique key.
func (b *Builder) Sink(in Node) *Sink {
	s := &Sink{Info: info(in), Input: in}
	if len(s.Unique) > 0 {
		s.Key = s.Unique
	}
	s.FP = fingerprint(s)
	return s
}

func info(n Node) Info {
	i := infoOf(n)
	return Info{Out: i.Out, Names: i.Names, Unique: i.Unique}
}

func infoOf(n Node) *Info {
	switch n := n.(type) {
	case *Source:
		return &n.Info
	case *Constant:
		return &n.Info
	case *Map:
		return &n.Info
	case *Arrange:
		return &n.Info
	case *Join:
		return &n.Info
	case *Reduce:
		return &n.Info
	case *Distinct:
		return &n.Info
	case *Union:
		return &n.Info
	case *Sink:
		return &n.Info
	}
	panic(fmt.Sprintf("physical: unknown node %T", n))
}

// intern completes a node with its fingerprint and unique key and gives the
// node that stands for all equal to it.
func (b *Builder) intern(n Node, keys memo.Keys) Node {
	i := infoOf(n)
	i.FP = fingerprint(n)
	if have, ok := b.nodes[i.FP]; ok {
		b.learn(have, keys)
		return have
	}
	i.Unique = keys.Best()
	b.nodes[i.FP], b.keys[n] = n, keys
	return n
}

func (b *Builder) build(n rel.Node) (Node, error) {
	switch n := n.(type) {
	case *rel.Scan:
		in, _ := b.source(n, nil)
		return in, nil
	case *rel.Values:
		return b.values(n), nil
	case *rel.Filter:
		return b.filter(n)
	case *rel.Project:
		in, err := b.Build(n.Input)
		if err != nil {
			return nil, err
		}
		// A projection to no columns is not the identity: nil would be.
		return b.newMap(in, nil, append([]scalar.Expr{}, n.Exprs...), n.Names, b.memo.Props(n).Keys), nil
	case *rel.Join:
		return b.join(n)
	case *rel.GroupBy:
		return b.reduce(n)
	case *rel.Distinct:
		in, err := b.Build(n.Input)
		if err != nil {
			return nil, err
		}
		return b.intern(&Distinct{Info: info(in), Input: in}, b.memo.Props(n).Keys), nil
	case *rel.Union:
		return b.union(n)
	case *rel.TopK:
		return nil, pgerr.Unsupported(0, "LIMIT in a subquery")
	}
	panic(fmt.Sprintf("physical: unknown node %T", n))
}

// source reads a relation where preds may be true; rest are those that are to
// be asked of its rows.
func (b *Builder) source(n *rel.Scan, preds []scalar.Expr) (in Node, rest []scalar.Expr) {
	s := &Source{Relation: n.ID, Name: n.Name, System: n.System}
	s.Out = n.Cols.Types()
	for _, c := range n.Cols {
		s.Names = append(s.Names, c.Name)
	}
	if len(n.Key) > 0 {
		s.Key = n.Key
	}
	if b.oneShot && !n.System {
		s.Lookup, preds = lookup(n, preds)
	}
	return b.intern(s, b.memo.Props(n).Keys), preds
}

// values makes a Constant of rows of constants; a row with a parameter or with an expression
// that was not folded is computed by a Map over the row of no columns.
func (b *Builder) values(n *rel.Values) Node {
	c := &Constant{}
	c.Out = n.Cols.Types()
	for _, col := range n.Cols {
		c.Names = append(c.Names, col.Name)
	}
	var all []Node
	for _, r := range n.Rows {
		if row, ok := constantRow(r, c.Out); ok {
			c.Rows = append(c.Rows, row)
			continue
		}
		unit := b.intern(&Constant{Rows: []types.Row{{}}}, memo.Keys{{}})
		all = append(all, b.newMap(unit, nil, r, c.Names, nil))
	}
	if len(all) == 0 || len(c.Rows) > 0 {
		all = append([]Node{b.intern(c, b.memo.Props(n).Keys)}, all...)
	}
	if len(all) == 1 {
		return all[0]
	}
	return b.intern(&Union{Info: Info{Out: c.Out, Names: c.Names}, All: all}, nil)
}

func constantRow(r []scalar.Expr, ts []types.Type) (types.Row, bool) {
	row := types.Row{}
	for i, e := range r {
		c, ok := e.(*scalar.Const)
		if !ok {
			return nil, false
		}
		row = types.AppendDatum(row, ts[i].OID, c.Value)
	}
	return row, true
}

func (b *Builder) filter(n *rel.Filter) (Node, error) {
	var in Node
	preds := n.Preds
	if s, ok := n.Input.(*rel.Scan); ok {
		in, preds = b.source(s, preds)
	} else {
		var err error
		if in, err = b.Build(n.Input); err != nil {
			return nil, err
		}
	}
	return b.newMap(in, preds, nil, nil, b.memo.Props(n).Keys), nil
}

// newMap filters and projects (exprs nil: not) a node, in one operator with a
// Map that the node is. known are keys of the result.
func (b *Builder) newMap(in Node, preds, exprs []scalar.Expr, names []string, known memo.Keys) Node {
	if m, ok := in.(*Map); ok {
		switch {
		case m.Exprs == nil:
			in, preds = m.Input, slices.Concat(m.Preds, preds)
		case rel.CanInline(slices.Concat(preds, exprs), m.Exprs) && (exprs != nil || len(preds) == 0 || rel.CanInline(slices.Concat(preds, columns(m.Out)), m.Exprs)) && !anyVolatile(m.Exprs):
			sub := func(e scalar.Expr) scalar.Expr { return rel.Substitute(e, m.Exprs) }
			in, preds = m.Input, slices.Concat(m.Preds, rel.Map(preds, sub))
			if exprs == nil {
				exprs, names = m.Exprs, m.Names
			} else {
				exprs = rel.Map(exprs, sub)
			}
		}
	}
	if exprs != nil && identity(exprs, in.Types()) {
		exprs = nil
	}
	if len(preds) == 0 && exprs == nil {
		b.learn(in, known)
		return in
	}
	m := &Map{Input: in, Preds: preds, Exprs: exprs, Info: info(in)}
	keys := b.keys[in]
	if exprs != nil {
		m.Out, m.Names = make([]types.Type, len(exprs)), slices.Clone(names)
		from := make([]int, len(exprs))
		for i, e := range exprs {
			m.Out[i], from[i] = e.Type(), -1
			if c, ok := e.(*scalar.Column); ok {
				from[i] = c.Index
			}
		}
		keys = keys.Project(from)
	}
	for _, k := range known {
		keys = keys.Add(k)
	}
	return b.intern(m, keys)
}

// told gives a node with columns that form a unique key of its rows, after
// the node's own if they were dropped only there; nil if none is known.
func (b *Builder) told(n Node) (Node, []int) {
	m, ok := n.(*Map)
	if unique := infoOf(n).Unique; len(unique) > 0 || !ok || m.Exprs == nil {
		return n, unique
	}
	exprs, names, in := slices.Clone(m.Exprs), slices.Clone(m.Names), infoOf(m.Input)
	var at []int
	for _, c := range in.Unique {
		at = append(at, len(exprs))
		exprs, names = append(exprs, &scalar.Column{Index: c, Typ: in.Out[c], Name: in.Names[c]}), append(names, in.Names[c])
	}
	if at == nil {
		return n, nil
	}
	return b.newMap(m.Input, m.Preds, exprs, names, nil), at
}

// extreme reports whether the aggregate is the least or greatest value.
func (a Agg) extreme() bool { return a.Fn.Name == "min" || a.Fn.Name == "max" }

// columns gives the columns of rows of types ts.
func columns(ts []types.Type) []scalar.Expr {
	exprs := make([]scalar.Expr, len(ts))
	for i, t := range ts {
		exprs[i] = &scalar.Column{Index: i, Typ: t}
	}
	return exprs
}

// guarded is an aggregate's argument: one that can raise an error is not
// evaluated for rows that the aggregate's FILTER rejects.
func guarded(a scalar.Agg) scalar.Expr {
	x := a.Args[0]
	if a.Filter == nil || !scalar.CanError(x) {
		return x
	}
	return &scalar.Case{Whens: []scalar.When{{Cond: a.Filter, Result: x}}, Typ: x.Type()}
}

// learn adds keys that are known of a node.
func (b *Builder) learn(n Node, known memo.Keys) {
	keys := b.keys[n]
	for _, k := range known {
		keys = keys.Add(k)
	}
	b.keys[n], infoOf(n).Unique = keys, keys.Best()
}

func columnName(e scalar.Expr) string {
	if c, ok := e.(*scalar.Column); ok {
		return c.Name
	}
	return scalar.String(e)
}

func anyVolatile(es []scalar.Expr) bool {
	return slices.ContainsFunc(es, func(e scalar.Expr) bool { return scalar.VolatilityOf(e) == scalar.Volatile })
}

func identity(exprs []scalar.Expr, ts []types.Type) bool {
	if len(exprs) != len(ts) {
		return false
	}
	for i, e := range exprs {
		if c, ok := e.(*scalar.Column); !ok || c.Index != i || c.Typ != ts[i] {
			return false
		}
	}
	return true
}

func (b *Builder) union(n *rel.Union) (Node, error) {
	u := &Union{}
	for _, c := range n.All {
		in, err := b.Build(c)
		if err != nil {
			return nil, err
		}
		u.All = append(u.All, in)
	}
	u.Info = info(u.All[0])
	return b.intern(u, nil), nil
}

// reduce groups over a Map that computes the keys' and the arguments' columns, and only those.
func (b *Builder) reduce(n *rel.GroupBy) (Node, error) {
	in, err := b.Build(n.Input)
	if err != nil {
		return nil, err
	}
	r := &Reduce{}
	var exprs []scalar.Expr
	column := func(e scalar.Expr) int {
		i := slices.IndexFunc(exprs, func(x scalar.Expr) bool { return scalar.Equal(x, e) })
		if i < 0 {
			exprs = append(exprs, e)
			i = len(exprs) - 1
		}
		return i
	}
	for i, k := range n.Keys {
		r.Keys = append(r.Keys, column(k))
		r.Out, r.Names = append(r.Out, k.Type()), append(r.Names, n.Names[i])
	}
	for _, a := range n.Aggs {
		agg := Agg{Fn: a.Fn, Arg: -1, Distinct: a.Distinct, Filter: -1, Typ: a.Typ}
		switch len(a.Args) {
		case 0:
		case 1:
			agg.Arg = column(guarded(a))
		default:
			return nil, pgerr.Unsupported(0, "aggregate function %s with %d arguments", a.Fn.Name, len(a.Args))
		}
		if a.Filter != nil {
			agg.Filter = column(a.Filter)
		}
		r.Aggs = append(r.Aggs, agg)
		r.Out, r.Names = append(r.Out, a.Typ), append(r.Names, n.Names[len(n.Keys)+len(r.Aggs)-1])
	}
	if !b.oneShot && slices.ContainsFunc(r.Aggs, Agg.extreme) {
		var unique []int
		in, unique = b.told(in)
		for _, c := range unique {
			r.Tell = append(r.Tell, column(&scalar.Column{Index: c, Typ: in.Types()[c], Name: infoOf(in).Names[c]}))
		}
	}
	r.Input = in
	if len(exprs) > 0 {
		names := make([]string, len(exprs))
		for i, e := range exprs {
			names[i] = columnName(e)
		}
		r.Input = b.newMap(in, nil, exprs, names, nil)
	}
	return b.intern(r, b.memo.Props(n).Keys), nil
}

package memo

import (
	"slices"

	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
)

// Props are the logical properties of a relation.
type Props struct {
	Keys Keys
	// NotNull tells of each column whether it is never NULL.
	NotNull []bool
	// Fixed gives for each column the constant or parameter that it equals in every row, or nil.
	Fixed []scalar.Expr
}

// Props gives the properties of a plan.
func (m *Memo) Props(n rel.Node) *Props {
	if p, ok := m.props[n]; ok {
		return p
	}
	p := m.derive(n)
	m.props[n] = p
	return p
}

func (m *Memo) derive(n rel.Node) *Props {
	width := len(n.Schema())
	p := &Props{NotNull: make([]bool, width), Fixed: make([]scalar.Expr, width)}
	switch n := n.(type) {
	case *rel.Scan:
		for i, c := range n.Cols {
			p.NotNull[i] = c.NotNull
		}
		if len(n.Key) > 0 {
			p.Keys = p.Keys.Add(n.Key)
		}
	case *rel.Values:
		for i := range p.NotNull {
			p.NotNull[i] = !slices.ContainsFunc(n.Rows, func(r []scalar.Expr) bool { return !notNull(r[i], nil) })
		}
		if len(n.Rows) <= 1 {
			p.Keys = Keys{{}}
		}
	case *rel.Filter:
		in := m.Props(n.Input)
		copy(p.NotNull, in.NotNull)
		copy(p.Fixed, in.Fixed)
		p.Keys = in.Keys
		p.learn(n.Preds)
	case *rel.Project:
		m.deriveProject(p, n)
	case *rel.Join:
		m.deriveJoin(p, n)
	case *rel.GroupBy:
		m.deriveGroupBy(p, n)
	case *rel.Distinct:
		in := m.Props(n.Input)
		copy(p.NotNull, in.NotNull)
		copy(p.Fixed, in.Fixed)
		p.Keys = in.Keys.Add(span(0, width)).Without(p.fixed)
	case *rel.Union:
		for i := range p.NotNull {
			p.NotNull[i] = !slices.ContainsFunc(n.All, func(c rel.Node) bool { return !m.Props(c).NotNull[i] })
		}
	case *rel.TopK:
		*p = *m.Props(n.Input)
	}
	return p
}

// learn adds what predicates say that are true of every row.
func (p *Props) learn(preds []scalar.Expr) {
	for i := range p.NotNull {
		one := scalar.Cols(i)
		for _, e := range preds {
			p.NotNull[i] = p.NotNull[i] || scalar.NullRejecting(e, one)
		}
	}
	for _, e := range preds {
		if c, v, ok := FixedColumn(e); ok && p.Fixed[c] == nil {
			p.Fixed[c] = v
		}
	}
	p.Keys = p.Keys.Without(p.fixed)
}

func (p *Props) fixed(col int) bool { return p.Fixed[col] != nil }

// FixedColumn recognizes column = constant or parameter, of one type, on either side.
func FixedColumn(e scalar.Expr) (col int, value scalar.Expr, ok bool) {
	l, r, ok := rel.Equality(e)
	if !ok {
		return 0, nil, false
	}
	if _, isCol := l.(*scalar.Column); !isCol {
		l, r = r, l
	}
	c, isCol := l.(*scalar.Column)
	if !isCol {
		return 0, nil, false
	}
	switch r.(type) {
	case *scalar.Const, *scalar.Param:
		return c.Index, r, true
	}
	return 0, nil, false
}

func (m *Memo) deriveProject(p *Props, n *rel.Project) {
	in := m.Props(n.Input)
	from := make([]int, len(n.Exprs))
	for i, e := range n.Exprs {
		from[i] = -1
		p.NotNull[i] = notNull(e, in.NotNull)
		switch e := e.(type) {
		case *scalar.Column:
			from[i] = e.Index
			p.Fixed[i] = in.Fixed[e.Index]
		case *scalar.Const:
			if !e.Value.Null {
				p.Fixed[i] = e
			}
		}
	}
	p.Keys = in.Keys.Project(from)
}

func (m *Memo) deriveGroupBy(p *Props, n *rel.GroupBy) {
	in := m.Props(n.Input)
	var plain []int
	for i, e := range n.Keys {
		p.NotNull[i] = notNull(e, in.NotNull)
		if c, ok := e.(*scalar.Column); ok {
			p.Fixed[i] = in.Fixed[c.Index]
			plain = append(plain, c.Index)
		}
	}
	for i, a := range n.Aggs {
		p.NotNull[len(n.Keys)+i] = a.Fn.Name == "count"
	}
	p.Keys = p.Keys.Add(span(0, len(n.Keys)))
	if len(plain) == len(n.Keys) && len(plain) > 0 {
		for _, k := range in.Keys.Project(plain) {
			p.Keys = p.Keys.Add(k)
		}
		p.Keys = p.Keys.Without(p.fixed)
	}
}

func (m *Memo) deriveJoin(p *Props, n *rel.Join) {
	l, r := m.Props(n.L), m.Props(n.R)
	nl := len(l.NotNull)
	lkey, rkey := EquiColumns(n.On, nl)
	copy(p.NotNull, l.NotNull)
	copy(p.Fixed, l.Fixed)
	if len(p.NotNull) > nl {
		copy(p.NotNull[nl:], r.NotNull)
		copy(p.Fixed[nl:], r.Fixed)
	}
	full := hasNotNullKey(l) || hasNotNullKey(r)
	p.Keys = JoinKeys(n.Kind, l.Keys, r.Keys, nl, lkey, rkey, full)
	switch n.Kind {
	case rel.Inner:
		p.learn(n.On)
	case rel.Left:
		p.forget(nl, len(p.NotNull))
	case rel.Right:
		p.forget(0, nl)
	case rel.Full:
		p.forget(0, len(p.NotNull))
	case rel.Semi:
		p.learnLeft(n.On, nl)
	}
}

// learnLeft learns from predicates over more columns than the output has.
func (p *Props) learnLeft(preds []scalar.Expr, width int) {
	left := scalar.ColRange(0, width)
	var own []scalar.Expr
	for _, e := range preds {
		for i := range p.NotNull {
			p.NotNull[i] = p.NotNull[i] || scalar.NullRejecting(e, scalar.Cols(i))
		}
		if scalar.Columns(e).SubsetOf(left) {
			own = append(own, e)
		}
	}
	p.learn(own)
}

// forget says of columns low…high−1 that an outer join may have made them NULL.
func (p *Props) forget(low, high int) {
	for i := low; i < high; i++ {
		p.NotNull[i], p.Fixed[i] = false, nil
	}
}

// hasNotNullKey: every key of the relation has a column that is never NULL.
func hasNotNullKey(p *Props) bool {
	return len(p.Keys) > 0 && !slices.ContainsFunc(p.Keys, func(k []int) bool {
		return !slices.ContainsFunc(k, func(c int) bool { return p.NotNull[c] })
	})
}

// EquiColumns gives the columns that a join condition equates, left and right
// (numbered as in the right input).
func EquiColumns(on []scalar.Expr, nl int) (lkey, rkey []int) {
	for _, e := range on {
		a, b, ok := rel.Equality(e)
		if !ok {
			continue
		}
		l, lok := a.(*scalar.Column)
		r, rok := b.(*scalar.Column)
		if !lok || !rok {
			continue
		}
		if l.Index >= nl {
			l, r = r, l
		}
		if l.Index < nl && r.Index >= nl {
			lkey, rkey = append(lkey, l.Index), append(rkey, r.Index-nl)
		}
	}
	return lkey, rkey
}

// notNull reports whether an expression over columns is never NULL.
func notNull(e scalar.Expr, cols []bool) bool {
	switch e := e.(type) {
	case *scalar.Column:
		return cols[e.Index]
	case *scalar.Const:
		return !e.Value.Null
	case *scalar.IsNull, *scalar.IsBool, *scalar.Distinct:
		return true
	case *scalar.Coalesce:
		return slices.ContainsFunc(e.Args, func(a scalar.Expr) bool { return notNull(a, cols) })
	case *scalar.Not:
		return notNull(e.X, cols)
	case *scalar.Logic:
		return !slices.ContainsFunc(e.Args, func(a scalar.Expr) bool { return !notNull(a, cols) })
	}
	return false
}

func span(low, high int) []int {
	out := make([]int, 0, high-low)
	for i := low; i < high; i++ {
		out = append(out, i)
	}
	return out
}

package physical

import (
	"slices"

	"github.com/helios-sql/helios-sql/sql/planner/memo"
	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
)

// An input is one side of a join to be: a node, where the logical columns lie in its
// rows, and predicates on its rows that are left to do above the join.
type input struct {
	node  Node
	at    []int
	above []scalar.Expr
}

// join arranges both sides by the equated columns; what else the condition
// says is done above an inner join and is the residual of others. The join puts out
// whole rows of its sides; a Map above picks the columns.
func (b *Builder) join(n *rel.Join) (Node, error) {
	nl := len(n.L.Schema())
	if b.oneShot && n.Kind == rel.Inner && narrowed(n.R) && !narrowed(n.L) {
		return b.swapped(n, nl)
	}
	lkey, rkey, rest := splitCondition(n.On, nl)
	ls, rs := directSource(n.L, lkey), directSource(n.R, rkey)
	lkey, rkey = orderKeys(lkey, rkey, ls, rs)
	pairs := n.Kind != rel.Semi && n.Kind != rel.Anti
	residual := n.Kind != rel.Inner && len(rest) > 0
	l, err := b.side(n.L, ls, sideOf{
		key: lkey, late: n.Kind != rel.Full && n.Kind != rel.Right && !b.oneShot, inner: n.Kind != rel.Full && n.Kind != rel.Left && n.Kind != rel.Anti,
		many: !residual && b.memo.Props(n.R).Keys.Covered(rkey),
	})
	if err != nil {
		return nil, err
	}
	r, err := b.side(n.R, rs, sideOf{
		key: rkey, late: n.Kind == rel.Inner && !(b.oneShot && narrowed(n.R)), inner: n.Kind != rel.Full && n.Kind != rel.Right,
		many: !residual && pairs && b.memo.Props(n.L).Keys.Covered(lkey),
	})
	if err != nil {
		return nil, err
	}
	j := &Join{Kind: n.Kind, L: l.node, R: r.node, LKey: pick(l.at, lkey), RKey: pick(r.at, rkey)}
	w := len(l.node.Types())
	at := slices.Clone(l.at)
	for _, c := range r.at {
		at = append(at, c+w)
	}
	j.Info = info(l.node)
	if pairs {
		j.Out = slices.Concat(j.Out, r.node.Types())
		j.Names = slices.Concat(j.Names, infoOf(r.node).Names)
	}
	above := slices.Clone(l.above)
	for _, e := range r.above {
		above = append(above, rel.Shift(e, w))
	}
	rest = rel.Map(rest, func(e scalar.Expr) scalar.Expr { return rel.Remap(e, at) })
	if n.Kind == rel.Inner {
		above = append(above, rest...)
	} else {
		j.Residual = rest
	}
	schema := n.Schema()
	keys := memo.JoinKeys(n.Kind, b.keys[l.node], b.keys[r.node], w, j.LKey, j.RKey, false)
	out := b.intern(j, keys)
	exprs := make([]scalar.Expr, len(schema))
	names := make([]string, len(schema))
	for i, c := range schema {
		exprs[i] = &scalar.Column{Index: at[i], Typ: j.Out[at[i]], Name: c.Name}
		names[i] = c.Name
	}
	return b.newMap(out, above, exprs, names, b.memo.Props(n).Keys), nil
}

// narrowed reports whether a query that runs once reads a key range only to enumerate
// a relation; of a join it enumerates the left side.
func narrowed(n rel.Node) bool {
	switch n := n.(type) {
	case *rel.Project:
		return narrowed(n.Input)
	case *rel.Join:
		return narrowed(n.L)
	case *rel.Filter:
		if s, ok := n.Input.(*rel.Scan); ok && !s.System {
			l, _ := lookup(s, n.Preds)
			return l != nil
		}
		return narrowed(n.Input)
	}
	return false
}

// swapped builds an inner join with its sides exchanged.
func (b *Builder) swapped(n *rel.Join, nl int) (Node, error) {
	s := n.Schema()
	nr := len(s) - nl
	to := make([]int, len(s))
	exprs := make([]scalar.Expr, len(s))
	names := make([]string, len(s))
	for i, c := range s {
		to[i] = i + nr
		if i >= nl {
			to[i] = i - nl
		}
		exprs[i], names[i] = &scalar.Column{Index: to[i], Typ: c.Type, Name: c.Name}, c.Name
	}
	on := rel.Map(n.On, func(e scalar.Expr) scalar.Expr { return rel.Remap(e, to) })
	in, err := b.Build(&rel.Join{Kind: rel.Inner, L: n.R, R: n.L, On: on})
	if err != nil {
		return nil, err
	}
	return b.newMap(in, nil, exprs, names, nil), nil
}

// splitCondition takes the equalities of columns out of a join condition.
func splitCondition(on []scalar.Expr, nl int) (lkey, rkey []int, rest []scalar.Expr) {
	for _, e := range on {
		l, r := memo.EquiColumns([]scalar.Expr{e}, nl)
		if len(l) == 0 {
			rest = append(rest, e)
			continue
		}
		dup := false
		for i := range lkey {
			dup = dup || lkey[i] == l[0] && rkey[i] == r[0]
		}
		if !dup {
			lkey, rkey = append(lkey, l[0]), append(rkey, r[0])
		}
	}
	return lkey, rkey, rest
}

// A direct is a relation whose own arrangement begins with a join's key, below the
// filter and the picking of columns that are a side of the join.
type direct struct {
	scan  *rel.Scan
	preds []scalar.Expr
	at    []int
}

// directSource recognizes such a side; nil if it is none.
func directSource(n rel.Node, key []int) *direct {
	d := picked(n)
	if d == nil || len(d.scan.Key) < len(key) {
		return nil
	}
	if cols := pick(d.at, key); !slices.Equal(slices.Sorted(slices.Values(cols)), slices.Sorted(slices.Values(d.scan.Key[:len(key)]))) {
		return nil
	}
	return d
}

// picked recognizes rows of a relation with a key that are filtered, and of
// which columns are picked; nil if they are none.
func picked(n rel.Node) *direct {
	d := &direct{}
	if p, ok := n.(*rel.Project); ok {
		d.at = []int{}
		for _, e := range p.Exprs {
			c, ok := e.(*scalar.Column)
			if !ok {
				return nil
			}
			d.at = append(d.at, c.Index)
		}
		n = p.Input
	}
	if f, ok := n.(*rel.Filter); ok {
		d.preds, n = f.Preds, f.Input
	}
	var ok bool
	if d.scan, ok = n.(*rel.Scan); !ok || d.scan.System || len(d.scan.Key) == 0 {
		return nil
	}
	if d.at == nil {
		d.at = make([]int, len(d.scan.Cols))
		for i := range d.at {
			d.at[i] = i
		}
	}
	return d
}

// orderKeys puts the pairs of key columns into the order of a side that is
// read directly, the left one first.
func orderKeys(lkey, rkey []int, ls, rs *direct) ([]int, []int) {
	d, own := ls, lkey
	if d == nil {
		d, own = rs, rkey
	}
	if d == nil {
		return lkey, rkey
	}
	cols := pick(d.at, own)
	l, r := make([]int, len(lkey)), make([]int, len(rkey))
	for i, c := range d.scan.Key[:len(own)] {
		k := slices.Index(cols, c)
		l[i], r[i] = lkey[k], rkey[k]
	}
	return l, r
}

// A sideOf is how a join has a side: arranged by key.
type sideOf struct {
	key   []int
	late  bool // predicates may be done above the join instead, which pays where the whole key finds one row
	inner bool // rows with a NULL in the key match nothing and do not show
	many  bool // a row matches at most one of the other side: this one changes more often than that
}

// side gives a side; d says how it can be read directly, if it can.
func (b *Builder) side(n rel.Node, d *direct, s sideOf) (*input, error) {
	key := s.key
	if d != nil && slices.Equal(pick(d.at, key), d.scan.Key[:len(key)]) && (len(d.preds) == 0 || s.late && len(key) == len(d.scan.Key)) {
		in, _ := b.source(d.scan, nil)
		return &input{node: in, at: d.at, above: d.preds}, nil
	}
	width := len(n.Schema())
	var tell []int
	if !b.oneShot && width > len(key) {
		n, tell = widen(n)
	}
	in, err := b.Build(n)
	if err != nil {
		return nil, err
	}
	if s.inner {
		p := b.memo.Props(n)
		var preds []scalar.Expr
		for _, c := range key {
			if !p.NotNull[c] {
				preds = append(preds, &scalar.IsNull{X: &scalar.Column{Index: c, Typ: in.Types()[c], Name: infoOf(in).Names[c]}, Neg: true})
			}
		}
		in = b.newMap(in, preds, nil, nil, nil)
	}
	at := make([]int, width)
	for i := range at {
		at[i] = i
	}
	a := &Arrange{Info: info(in), Input: in, Key: key}
	if s.many && tell != nil {
		a.Of = b.stored(n, key, tell)
	}
	return &input{node: b.intern(a, b.keys[in]), at: at}, nil
}

// stored tells where rows lie that have the key of their relation in the columns
// tell; nil if they do not, or are nothing but what they are arranged by. To look them up there costs
// more than to have them at hand, but what changes no key need not be written.
func (b *Builder) stored(n rel.Node, key, tell []int) *Stored {
	d := picked(n)
	if d == nil {
		return nil
	}
	more := false
	for i := range d.at {
		more = more || !slices.Contains(key, i) && !slices.Contains(tell, i)
	}
	if !more {
		return nil
	}
	in, _ := b.source(d.scan, nil)
	return &Stored{Source: in.(*Source), Cols: d.at, Tell: tell}
}

// widen puts the columns of a relation's key behind the columns picked from
// it, and says where they are: an arrangement of rows that never repeat is written
// blindly, one of rows that may has to read. Rows that hold nothing but what they are
// arranged by are better counted.
func widen(n rel.Node) (out rel.Node, key []int) {
	switch n := n.(type) {
	case *rel.Scan:
		if !n.System {
			return n, n.Key
		}
	case *rel.Filter:
		in, key := widen(n.Input)
		return &rel.Filter{Input: in, Preds: n.Preds}, key
	case *rel.Project:
		in, below := widen(n.Input)
		out := &rel.Project{Input: in, Exprs: slices.Clone(n.Exprs), Names: slices.Clone(n.Names)}
		schema := in.Schema()
		for _, c := range below {
			at := slices.IndexFunc(out.Exprs, func(e scalar.Expr) bool {
				col, ok := e.(*scalar.Column)
				return ok && col.Index == c
			})
			if at < 0 {
				at = len(out.Exprs)
				out.Exprs = append(out.Exprs, &scalar.Column{Index: c, Typ: schema[c].Type, Name: schema[c].Name})
				out.Names = append(out.Names, schema[c].Name)
			}
			key = append(key, at)
		}
		return out, key
	}
	return n, nil
}

func pick(list, at []int) []int {
	out := make([]int, len(at))
	for i, c := range at {
		out[i] = list[c]
	}
	return out
}

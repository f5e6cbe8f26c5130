package norm

import (
	"slices"

	"github.com/helios-sql/helios-sql/sql/planner/memo"
	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

var joinRules = []Rule{
	{"RightJoinToLeft", rightJoinToLeft},
	simplifyExprs,
	{"SimplifyJoinCondition", simplifyJoinCondition},
	{"EmptyJoin", emptyJoin},
	{"DropUnitJoin", dropUnitJoin},
	{"HoistProjectFromJoin", hoistProject},
	{"SimplifyOuterJoin", simplifyOuterJoinBelowJoin},
	{"PushJoinConditionDown", pushConditionDown},
	{"InferJoinConstant", inferConstant},
}

func rightJoinToLeft(_ *normalizer, n rel.Node) rel.Node {
	j := n.(*rel.Join)
	if j.Kind != rel.Right {
		return nil
	}
	nl, nr := len(j.L.Schema()), len(j.R.Schema())
	to := append(span(nr, nr+nl), span(0, nr)...)
	on := rel.Map(j.On, func(e scalar.Expr) scalar.Expr { return rel.Remap(e, to) })
	return project(&rel.Join{Kind: rel.Left, L: j.R, R: j.L, On: on}, to)
}

func span(low, high int) []int {
	out := make([]int, 0, high-low)
	for i := low; i < high; i++ {
		out = append(out, i)
	}
	return out
}

// simplifyJoinCondition normalizes the conjuncts of a join; one that cannot be
// true leaves what unmatched rows give.
func simplifyJoinCondition(_ *normalizer, n rel.Node) rel.Node {
	j := n.(*rel.Join)
	on, possible := conjuncts(j.On)
	switch {
	case possible && slices.Equal(on, j.On):
		return nil
	case possible:
		return &rel.Join{Kind: j.Kind, L: j.L, R: j.R, On: on}
	case j.Kind == rel.Full:
		nl := len(j.L.Schema())
		s := j.Schema()
		left := nullExtended(j.L, nil, s[nl:])
		right := nullExtended(j.R, s[:nl], nil)
		return &rel.Union{All: []rel.Node{left, right}}
	}
	return unmatched(j)
}

// unmatched is what a join other than a full one gives when no rows match.
func unmatched(j *rel.Join) rel.Node {
	switch j.Kind {
	case rel.Left:
		return nullExtended(j.L, nil, j.R.Schema())
	case rel.Anti:
		return j.L
	}
	return empty(j)
}

// nullExtended puts columns of NULLs before and after a node's own.
func nullExtended(n rel.Node, before, after types.Schema) rel.Node {
	p := &rel.Project{Input: n}
	nulls := func(s types.Schema) {
		for _, c := range s {
			p.Exprs = append(p.Exprs, &scalar.Const{Typ: c.Type, Value: types.NullDatum})
			p.Names = append(p.Names, c.Name)
		}
	}
	nulls(before)
	s := n.Schema()
	p.Exprs = append(p.Exprs, rel.ColumnExprs(s, 0, len(s))...)
	for _, c := range s {
		p.Names = append(p.Names, c.Name)
	}
	nulls(after)
	return p
}

func emptyJoin(_ *normalizer, n rel.Node) rel.Node {
	j := n.(*rel.Join)
	switch {
	case isEmpty(j.R) && j.Kind == rel.Full:
		return nullExtended(j.L, nil, j.R.Schema())
	case isEmpty(j.L) && j.Kind == rel.Full:
		return nullExtended(j.R, j.L.Schema(), nil)
	case isEmpty(j.L):
		return empty(j)
	case isEmpty(j.R):
		return unmatched(j)
	}
	return nil
}

// dropUnitJoin turns an inner join with one constant row into a projection.
func dropUnitJoin(_ *normalizer, n rel.Node) rel.Node {
	j := n.(*rel.Join)
	if j.Kind != rel.Inner {
		return nil
	}
	s := j.Schema()
	nl := len(j.L.Schema())
	p := &rel.Project{}
	if row, ok := oneRow(j.R); ok {
		p.Input, p.Exprs = j.L, append(rel.ColumnExprs(s, 0, nl), row...)
	} else if row, ok := oneRow(j.L); ok {
		p.Input, p.Exprs = j.R, append(slices.Clone(row), rel.ColumnExprs(s[nl:], 0, len(s)-nl)...)
	} else {
		return nil
	}
	for _, c := range s {
		p.Names = append(p.Names, c.Name)
	}
	p.Input = filter(p.Input, rel.Map(j.On, func(e scalar.Expr) scalar.Expr { return rel.Substitute(e, p.Exprs) }))
	return p
}

// oneRow gives the row of a VALUES of one row of constants and parameters.
func oneRow(n rel.Node) ([]scalar.Expr, bool) {
	v, ok := n.(*rel.Values)
	if !ok || len(v.Rows) != 1 {
		return nil, false
	}
	for _, e := range v.Rows[0] {
		if _, isParam := e.(*scalar.Param); !isParam && !isConst(e) {
			return nil, false
		}
	}
	return v.Rows[0], true
}

// hoistProject moves a projection that only picks columns above a join, so that
// joins below it meet the ones above. Pruning brings it back where it narrows rows.
func hoistProject(z *normalizer, n rel.Node) rel.Node {
	j := n.(*rel.Join)
	if !z.hoist {
		return nil
	}
	l, lcols, lok := pickedColumns(j.L)
	r, rcols, rok := pickedColumns(j.R)
	if !lok && !rok {
		return nil
	}
	nl := len(l.Schema())
	to := slices.Clone(lcols)
	for _, c := range rcols {
		to = append(to, c+nl)
	}
	out := &rel.Join{Kind: j.Kind, L: l, R: r, On: rel.Map(j.On, func(e scalar.Expr) scalar.Expr { return rel.Remap(e, to) })}
	return rename(project(out, to[:len(j.Schema())]), j.Schema())
}

// pickedColumns takes a projection of plain columns off a node; others stay
// as they are, with the identity.
func pickedColumns(n rel.Node) (in rel.Node, cols []int, ok bool) {
	if p, isProject := n.(*rel.Project); isProject {
		if cols, ok := columnsOnly(p.Exprs); ok {
			return p.Input, cols, true
		}
	}
	return n, span(0, len(n.Schema())), false
}

func rename(n rel.Node, s types.Schema) rel.Node {
	if p, ok := n.(*rel.Project); ok {
		for i := range p.Names {
			p.Names[i] = s[i].Name
		}
	}
	return n
}

func simplifyOuterJoinBelowFilter(_ *normalizer, n rel.Node) rel.Node {
	f := n.(*rel.Filter)
	if in := strengthen(f.Input, f.Preds); in != nil {
		return &rel.Filter{Input: in, Preds: f.Preds}
	}
	return nil
}

func simplifyOuterJoinBelowJoin(_ *normalizer, n rel.Node) rel.Node {
	j := n.(*rel.Join)
	if j.Kind == rel.Full || j.Kind == rel.Right {
		return nil
	}
	nl := len(j.L.Schema())
	// A right row that no left row can match never shows; a left row that matches
	// none shows in left and anti joins.
	l, r := rel.Node(nil), strengthen(j.R, relevant(j.On, nl, nl+len(j.R.Schema()), -nl))
	if j.Kind == rel.Inner || j.Kind == rel.Semi {
		l = strengthen(j.L, relevant(j.On, 0, nl, 0))
	}
	if l == nil && r == nil {
		return nil
	}
	out := &rel.Join{Kind: j.Kind, L: j.L, R: j.R, On: j.On}
	if l != nil {
		out.L = l
	}
	if r != nil {
		out.R = r
	}
	return out
}

// relevant gives predicates of one side, as IS NOT NULL, for what a join condition
// rejects NULLs in.
func relevant(on []scalar.Expr, low, high, shift int) []scalar.Expr {
	var out []scalar.Expr
	for _, e := range on {
		for c := range scalar.Columns(e).All() {
			if c >= low && c < high && scalar.NullRejecting(e, scalar.Cols(c)) {
				out = append(out, &scalar.IsNull{X: &scalar.Column{Index: c + shift, Typ: types.T(types.Bool)}, Neg: true})
			}
		}
	}
	return out
}

// strengthen makes outer joins below n inner where predicates above n reject
// the rows that only the outer join adds; nil if nothing changes.
func strengthen(n rel.Node, preds []scalar.Expr) rel.Node {
	switch n := n.(type) {
	case *rel.Filter:
		if in := strengthen(n.Input, preds); in != nil {
			return &rel.Filter{Input: in, Preds: n.Preds}
		}
	case *rel.Project:
		if !rel.CanInline(preds, n.Exprs) {
			return nil
		}
		down := rel.Map(preds, func(e scalar.Expr) scalar.Expr { return rel.Substitute(e, n.Exprs) })
		if in := strengthen(n.Input, down); in != nil {
			return &rel.Project{Input: in, Exprs: n.Exprs, Names: n.Names}
		}
	case *rel.Join:
		return strengthenJoin(n, preds)
	}
	return nil
}

func strengthenJoin(j *rel.Join, preds []scalar.Expr) rel.Node {
	nl := len(j.L.Schema())
	all := nl + len(j.R.Schema())
	rejects := func(low, high int) bool {
		cols := scalar.ColRange(low, high)
		return slices.ContainsFunc(preds, func(e scalar.Expr) bool { return scalar.NullRejecting(e, cols) })
	}
	kind := j.Kind
	switch j.Kind {
	case rel.Left:
		if rejects(nl, all) {
			kind = rel.Inner
		}
	case rel.Full:
		switch l, r := rejects(0, nl), rejects(nl, all); {
		case l && r:
			kind = rel.Inner
		case l:
			kind = rel.Left
		case r:
			kind = rel.Right
		}
	}
	out := &rel.Join{Kind: kind, L: j.L, R: j.R, On: j.On}
	changed := kind != j.Kind
	if kind != rel.Right && kind != rel.Full {
		if l := strengthen(j.L, within(preds, 0, nl)); l != nil {
			out.L, changed = l, true
		}
	}
	if kind == rel.Inner {
		if r := strengthen(j.R, within(preds, nl, all)); r != nil {
			out.R, changed = r, true
		}
	}
	if !changed {
		return nil
	}
	return out
}

// within gives what predicates say of one side of a join.
func within(preds []scalar.Expr, low, high int) []scalar.Expr {
	var out []scalar.Expr
	for _, e := range preds {
		if scalar.Columns(e).SubsetOf(scalar.ColRange(low, high)) {
			out = append(out, rel.Shift(e, -low))
		} else {
			out = append(out, relevant([]scalar.Expr{e}, low, high, -low)...)
		}
	}
	return out
}

// pushConditionDown moves conjuncts that speak of one side below the join,
// where the side's unmatched rows do not show.
func pushConditionDown(_ *normalizer, n rel.Node) rel.Node {
	j := n.(*rel.Join)
	nl := len(j.L.Schema())
	all := nl + len(j.R.Schema())
	toLeft := j.Kind == rel.Inner || j.Kind == rel.Semi
	toRight := j.Kind != rel.Full && j.Kind != rel.Right
	var l, r, on []scalar.Expr
	for _, p := range j.On {
		cols := scalar.Columns(p)
		switch {
		case toLeft && movable(p) && cols.SubsetOf(scalar.ColRange(0, nl)):
			l = append(l, p)
		case toRight && movable(p) && cols.SubsetOf(scalar.ColRange(nl, all)):
			r = append(r, rel.Shift(p, -nl))
		default:
			on = append(on, p)
		}
	}
	if len(l)+len(r) == 0 {
		return nil
	}
	return &rel.Join{Kind: j.Kind, L: filter(j.L, l), R: filter(j.R, r), On: on}
}

// inferConstant carries a column's constant value across an equality of the
// join: rows of the other side with another value match nothing.
func inferConstant(z *normalizer, n rel.Node) rel.Node {
	j := n.(*rel.Join)
	if j.Kind == rel.Full || j.Kind == rel.Right {
		return nil
	}
	l, r := z.memo.Props(j.L), z.memo.Props(j.R)
	toLeft := j.Kind == rel.Inner || j.Kind == rel.Semi
	for _, e := range j.On {
		lk, rk := memo.EquiColumns([]scalar.Expr{e}, len(l.NotNull))
		if len(lk) == 0 {
			continue
		}
		lv, rv := l.Fixed[lk[0]], r.Fixed[rk[0]]
		switch eq := e.(*scalar.Call); {
		case lv != nil && rv == nil && typeMatches(lv, j.R, rk[0]):
			return &rel.Join{Kind: j.Kind, L: j.L, R: filter(j.R, []scalar.Expr{equals(eq, j.R, rk[0], lv)}), On: j.On}
		case rv != nil && lv == nil && toLeft && typeMatches(rv, j.L, lk[0]):
			return &rel.Join{Kind: j.Kind, L: filter(j.L, []scalar.Expr{equals(eq, j.L, lk[0], rv)}), R: j.R, On: j.On}
		}
	}
	return nil
}

func typeMatches(v scalar.Expr, n rel.Node, col int) bool {
	return rel.KeyFamily(v.Type().OID) == rel.KeyFamily(n.Schema()[col].Type.OID)
}

func equals(eq *scalar.Call, n rel.Node, col int, v scalar.Expr) scalar.Expr {
	c := n.Schema()[col]
	return &scalar.Call{Fn: eq.Fn, Typ: eq.Typ, Pos: eq.Pos, Args: []scalar.Expr{&scalar.Column{Index: col, Typ: c.Type, Name: c.Name}, v}}
}

// Package norm rewrites relational plans into equivalent ones that cost less
// to keep: rules, one file per operator, applied until none matches, then join ordering and
// column pruning. The result depends on the plan alone.
//
// No rule moves an expression that can raise an error to where it would see
// rows that it did not see before: PostgreSQL may, but an error that the user's query does
// not ask for would stop a view from being read.
package norm

import (
	"github.com/helios-sql/helios-sql/sql/planner/memo"
	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
)

// A Rule rewrites one node, whose inputs are already normal; apply gives nil
// where it does not match.
type Rule struct {
	Name  string
	apply func(z *normalizer, n rel.Node) rel.Node
}

// Options are what Normalize is given besides the plan.
type Options struct {
	// Fold gives the value of a constant expression, or the expression itself; nil: no folding.
	Fold func(scalar.Expr) scalar.Expr
	// Trace is told the name of each rule that is applied; nil: nobody.
	Trace func(rule string)
}

// Normalize rewrites a plan. The output has the same columns.
func Normalize(m *memo.Memo, n rel.Node, o Options) rel.Node {
	z := &normalizer{memo: m, opt: o, left: maxApplications}
	n = z.run(n, true)
	n = z.run(z.orderJoins(n), true)
	n = z.run(z.splitKeys(n), false)
	n = z.run(z.pruneRoot(n), false)
	return n
}

// maxApplications bounds the rule applications of one planning: a plan that
// is still not normal by then is correct, only less good.
const maxApplications = 20000

type normalizer struct {
	memo *memo.Memo
	opt  Options
	left int
	// hoist: projections are moved up through joins, so that joins meet.
	hoist bool
	done  map[rel.Node]rel.Node
}

func (z *normalizer) run(n rel.Node, hoist bool) rel.Node {
	z.hoist, z.done = hoist, map[rel.Node]rel.Node{}
	return z.normalize(n)
}

// normalize normalizes the inputs, then applies the first rule that matches
// and normalizes what it made.
func (z *normalizer) normalize(n rel.Node) rel.Node {
	n = z.memo.Intern(n)
	if out, ok := z.done[n]; ok {
		return out
	}
	old := n.Inputs()
	in := make([]rel.Node, len(old))
	for i, c := range old {
		in[i] = z.normalize(c)
	}
	out := z.memo.Intern(rel.WithInputs(n, in))
	if next := z.apply(out); next != nil {
		out = z.normalize(next)
	}
	z.done[n], z.done[out] = out, out
	return out
}

func (z *normalizer) apply(n rel.Node) rel.Node {
	if z.left == 0 {
		return nil
	}
	for _, r := range rules(n) {
		if next := r.apply(z, n); next != nil && z.memo.Intern(next) != n {
			z.left--
			z.trace(r.Name)
			return next
		}
	}
	return nil
}

func (z *normalizer) trace(name string) {
	if z.opt.Trace != nil {
		z.opt.Trace(name)
	}
}

func rules(n rel.Node) []Rule {
	switch n.(type) {
	case *rel.Filter:
		return filterRules
	case *rel.Project:
		return projectRules
	case *rel.Join:
		return joinRules
	case *rel.GroupBy:
		return groupByRules
	case *rel.Distinct:
		return distinctRules
	case *rel.Union:
		return unionRules
	case *rel.TopK:
		return topKRules
	case *rel.Values:
		return valuesRules
	}
	return nil
}

// Rules lists the names of all rules, in the order in which they are tried.
func Rules() []string {
	var out []string
	for _, list := range [][]Rule{filterRules, projectRules, joinRules, groupByRules, distinctRules, unionRules, topKRules, valuesRules} {
		for _, r := range list {
			out = append(out, r.Name)
		}
	}
	return append(out, "OrderJoins", "SplitJoinKeys", "PruneColumns")
}

// simplifyExprs is the rule of all operators that have expressions.
var simplifyExprs = Rule{"SimplifyExpressions", func(z *normalizer, n rel.Node) rel.Node {
	next := rel.TransformExprs(n, func(e scalar.Expr) scalar.Expr { return z.simplify(e, z.inputNotNull(n)) })
	if next == n {
		return nil
	}
	return next
}}

// inputNotNull tells which columns that a node's expressions see are never NULL.
func (z *normalizer) inputNotNull(n rel.Node) []bool {
	var out []bool
	for _, c := range n.Inputs() {
		out = append(out, z.memo.Props(c).NotNull...)
	}
	return out
}

// empty is the relation without rows and n's columns.
func empty(n rel.Node) rel.Node { return &rel.Values{Cols: n.Schema()} }

func isEmpty(n rel.Node) bool {
	v, ok := n.(*rel.Values)
	return ok && len(v.Rows) == 0
}

// project selects columns of a node.
func project(n rel.Node, cols []int) rel.Node {
	s := n.Schema()
	p := &rel.Project{Input: n}
	for _, c := range cols {
		p.Exprs = append(p.Exprs, &scalar.Column{Index: c, Typ: s[c].Type, Name: s[c].Name})
		p.Names = append(p.Names, s[c].Name)
	}
	return p
}

// filter puts predicates on a node, if there are any.
func filter(n rel.Node, preds []scalar.Expr) rel.Node {
	if len(preds) == 0 {
		return n
	}
	return &rel.Filter{Input: n, Preds: preds}
}

// columnsOnly gives the input columns that expressions repeat, false if one is
// not a plain column.
func columnsOnly(es []scalar.Expr) ([]int, bool) {
	out := make([]int, len(es))
	for i, e := range es {
		c, ok := e.(*scalar.Column)
		if !ok {
			return nil, false
		}
		out[i] = c.Index
	}
	return out, true
}

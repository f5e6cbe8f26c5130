package norm

import (
	"slices"

	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
)

// orderJoins orders each chain of inner joins so that every join has an
// equality where the query has one: the user's order otherwise. Inputs that nothing connects are
// joined last, each with what is connected to it.
func (z *normalizer) orderJoins(n rel.Node) rel.Node {
	done := map[rel.Node]rel.Node{}
	var walk func(n rel.Node) rel.Node
	walk = func(n rel.Node) rel.Node {
		if out, ok := done[n]; ok {
			return out
		}
		var out rel.Node
		if isJoin(n) {
			c := &chain{}
			c.flatten(n, 0)
			for i := range c.leaves {
				c.leaves[i].node = walk(c.leaves[i].node)
			}
			out = c.build()
		} else {
			old := n.Inputs()
			in := make([]rel.Node, len(old))
			for i, child := range old {
				in[i] = walk(child)
			}
			out = rel.WithInputs(n, in)
		}
		out = z.memo.Intern(out)
		if isJoin(n) && out != n {
			z.trace("OrderJoins")
		}
		done[n] = out
		return out
	}
	return walk(z.memo.Intern(n))
}

// A chain is a tree of inner joins, taken apart: leaves in the user's order and
// conjuncts over all their columns, numbered in that order.
type chain struct {
	leaves []tree
	preds  []scalar.Expr
	width  int
}

// A tree is a part of the chain that is joined: cols are the chain's columns in the order
// of the node's.
type tree struct {
	node rel.Node
	cols []int
}

func (c *chain) flatten(n rel.Node, off int) {
	j, ok := n.(*rel.Join)
	if !ok || j.Kind != rel.Inner {
		w := len(n.Schema())
		c.leaves = append(c.leaves, tree{n, span(off, off+w)})
		c.width = max(c.width, off+w)
		return
	}
	c.flatten(j.L, off)
	c.flatten(j.R, off+len(j.L.Schema()))
	for _, p := range j.On {
		c.preds = append(c.preds, rel.Shift(p, off))
	}
}

func (c *chain) build() rel.Node {
	used := make([]bool, len(c.preds))
	rest := slices.Clone(c.leaves)
	var parts []tree
	for len(rest) > 0 {
		t := rest[0]
		rest = rest[1:]
		for {
			i, edge := c.connected(t, rest, used)
			if i < 0 {
				break
			}
			t = c.join(t, rest[i], used, edge)
			rest = slices.Delete(rest, i, i+1)
		}
		parts = append(parts, t)
	}
	t := parts[0]
	for _, p := range parts[1:] {
		t = c.join(t, p, used, -1)
	}
	n := filter(t.node, c.take(t, used, -1, true))
	restore := make([]int, c.width)
	for i, col := range t.cols {
		restore[col] = i
	}
	if slices.IsSorted(restore) {
		return n
	}
	return project(n, restore)
}

// connected finds the first of rest that an equality connects to t; one that
// may raise errors only if there is no other.
func (c *chain) connected(t tree, rest []tree, used []bool) (leaf, edge int) {
	for _, errs := range []bool{false, true} {
		for i, r := range rest {
			for k, p := range c.preds {
				if used[k] || movable(p) == errs || volatile(p) {
					continue
				}
				if l, r2, ok := equi(p); ok && (over(l, t) && over(r2, r) || over(l, r) && over(r2, t)) {
					return i, k
				}
			}
		}
	}
	return -1, -1
}

// over reports whether an expression reads columns of a tree, and no others.
func over(e scalar.Expr, t tree) bool {
	cols := scalar.Columns(e)
	return !cols.Empty() && cols.SubsetOf(scalar.Cols(t.cols...))
}

func (c *chain) join(l, r tree, used []bool, edge int) tree {
	t := tree{cols: slices.Concat(l.cols, r.cols)}
	t.node = &rel.Join{Kind: rel.Inner, L: l.node, R: r.node, On: c.take(t, used, edge, false)}
	return t
}

// take gives the unused predicates that a tree's columns suffice for, numbered
// as the tree's columns, and marks them used. Those that may raise errors wait for the whole chain,
// except the edge that connects.
func (c *chain) take(t tree, used []bool, edge int, last bool) []scalar.Expr {
	at := make([]int, c.width)
	for i, col := range t.cols {
		at[col] = i
	}
	have := scalar.Cols(t.cols...)
	var out []scalar.Expr
	for k, p := range c.preds {
		if !used[k] && (last || k == edge || movable(p)) && scalar.Columns(p).SubsetOf(have) {
			used[k] = true
			out = append(out, rel.Remap(p, at))
		}
	}
	return out
}

func isJoin(n rel.Node) bool { j, ok := n.(*rel.Join); return ok && j.Kind == rel.Inner }

package circuit

import (
	"slices"

	"github.com/helios-sql/helios-sql/sql/exec/op"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/helios-sql/helios-sql/sql/zset"
)

// A Circuit is the dataflow of all tables and views. Equal operators, by
// fingerprint, are one, whichever views they belong to. It starts no goroutine and one may use it.
type Circuit struct {
	opener Opener
	nodes  map[physical.Fingerprint]*node
	order  []*node // inputs first
}

// A node is an operator in its place.
type node struct {
	fp     physical.Fingerprint
	rel    uint32     // of a table or a view's sink, else 0
	upsert *op.Upsert // of a table
	op     op.Operator
	state  bool
	fresh  bool // has not run since it was added
	refs   int  // nodes that read it, plus one for a relation
	in     []*node
	ins    []*op.Delta
	out    op.Delta
}

// New gives an empty circuit over states of the opener.
func New(o Opener) *Circuit {
	return &Circuit{opener: o, nodes: map[physical.Fingerprint]*node{}}
}

// AddTable adds a stored table with columns cols and the key columns key; nil:
// it has none.
func (c *Circuit) AddTable(rel uint32, name string, cols []types.Type, key []int) error {
	fp := physical.RelationFingerprint(rel)
	if c.nodes[fp] != nil {
		return pgerr.Newf(pgerr.InternalError, "relation %d is in the circuit already", rel)
	}
	u, err := op.NewUpsert(name, cols, key, func(part string) (op.Arrangement, error) { return c.opener.Open(fp, part) })
	if err != nil {
		return err
	}
	c.add(&node{fp: fp, rel: rel, upsert: u, state: true, refs: 1})
	return nil
}

// ReadInserts makes the inserts of a stored table replace rows: see op.Upsert.
func (c *Circuit) ReadInserts(rel uint32) {
	c.nodes[physical.RelationFingerprint(rel)].upsert.ReadInserts()
}

// DropTable takes a table that no view reads out of the circuit.
func (c *Circuit) DropTable(rel uint32) { c.DropView(rel) }

// AddView adds a view whose new operators' states are hydrated, or empty over
// empty inputs.
func (c *Circuit) AddView(rel uint32, root *physical.Sink) error {
	fp := physical.RelationFingerprint(rel)
	if c.nodes[fp] != nil {
		return pgerr.Newf(pgerr.InternalError, "relation %d is in the circuit already", rel)
	}
	_, err := c.build(root, fp, rel)
	return err
}

// DropView takes a view that no other reads out of the circuit. orphans are
// the states that nothing uses any more, the view's own among them.
func (c *Circuit) DropView(rel uint32) (orphans []physical.Fingerprint) {
	if n := c.nodes[physical.RelationFingerprint(rel)]; n != nil {
		c.release(n, &orphans)
		c.order = slices.DeleteFunc(c.order, func(n *node) bool { return n.refs == 0 })
	}
	return orphans
}

// Has reports whether an operator, or a relation by its RelationFingerprint,
// is in the circuit.
func (c *Circuit) Has(fp physical.Fingerprint) bool { return c.nodes[fp] != nil }

// States gives the states of operators that a plan needs, see the function.
func (c *Circuit) States(root physical.Node) []physical.Fingerprint { return States(root) }

func (c *Circuit) add(n *node) {
	c.nodes[n.fp] = n
	c.order = append(c.order, n)
}

// build gives the node named fp, with one more reference.
func (c *Circuit) build(p physical.Node, fp physical.Fingerprint, rel uint32) (*node, error) {
	if n := c.nodes[fp]; n != nil {
		n.refs++
		return n, nil
	}
	if s, ok := p.(*physical.Source); ok {
		return nil, pgerr.Newf(pgerr.InternalError, "relation %q is not in the circuit", s.Name)
	}
	n := &node{fp: fp, rel: rel, state: rel != 0 || stateful(p), fresh: true, refs: 1}
	if err := c.connect(n, p); err != nil {
		for _, in := range n.in {
			c.release(in, nil)
		}
		c.order = slices.DeleteFunc(c.order, func(n *node) bool { return n.refs == 0 })
		return nil, err
	}
	c.add(n)
	return n, nil
}

// connect gives a node its inputs and its operator.
func (c *Circuit) connect(n *node, p physical.Node) (err error) {
	for _, input := range p.Inputs() {
		in, err := c.build(input, nameOf(input), 0)
		if err != nil {
			return err
		}
		n.in, n.ins = append(n.in, in), append(n.ins, &in.out)
	}
	if n.op, err = newOperator(p, n.rel, func(physical.Node) Opener { return c.opener }, nil); err != nil {
		return err
	}
	if j, ok := n.op.(*op.Join); ok {
		j.Share(arrangeOf(n.in[0].op), arrangeOf(n.in[1].op))
	}
	return nil
}

// arrangeOf gives an operator's Arrange, nil if it is none.
func arrangeOf(o op.Operator) *op.Arrange {
	switch o := o.(type) {
	case *op.Arrange:
		return o
	case *op.KeyIndex:
		return &o.Arrange
	}
	return nil
}

// release drops a reference; the caller takes nodes without any out of order.
func (c *Circuit) release(n *node, orphans *[]physical.Fingerprint) {
	if n.refs--; n.refs > 0 {
		return
	}
	delete(c.nodes, n.fp)
	if n.state && orphans != nil {
		*orphans = append(*orphans, n.fp)
	}
	for _, in := range n.in {
		c.release(in, orphans)
	}
}

// Step runs one tick over the changes of tables, by relation. Operators of
// which no input changed do not run. After an error the circuit is of no more use.
func (c *Circuit) Step(changes map[uint32]*zset.Changes) error {
	for rel := range changes {
		if n := c.nodes[physical.RelationFingerprint(rel)]; n == nil || n.upsert == nil {
			return pgerr.Newf(pgerr.InternalError, "changes of relation %d, which is not a table of the circuit", rel)
		}
	}
	for _, n := range c.order {
		if err := n.step(changes); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) step(changes map[uint32]*zset.Changes) error {
	if !n.out.Empty() {
		n.out.Reset()
	}
	if n.upsert != nil {
		if ch := changes[n.rel]; ch != nil && ch.Len() > 0 {
			if err := n.upsert.Eval(ch, &n.out); err != nil {
				return err
			}
			return checkDelta(&n.out)
		}
		return nil
	}
	dirty := n.fresh
	for _, d := range n.ins {
		dirty = dirty || !d.Empty()
	}
	if !dirty {
		return nil
	}
	n.fresh = false
	return run(n.op, n.ins, &n.out)
}

// Delta is a table's or view's change in the last Step, borrowed until the
// next; nil if there is no such relation.
func (c *Circuit) Delta(rel uint32) *op.Delta {
	return c.NodeDelta(physical.RelationFingerprint(rel))
}

// NodeDelta is an operator's, or by RelationFingerprint a relation's, change
// in the last Step, borrowed until the next; nil if there is none such.
func (c *Circuit) NodeDelta(fp physical.Fingerprint) *op.Delta {
	if n := c.nodes[fp]; n != nil {
		return &n.out
	}
	return nil
}

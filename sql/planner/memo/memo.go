// Package memo interns relational plans: equal subtrees become one node, known
// by its fingerprint, with its logical properties (unique keys, columns that are never
// NULL) computed once.
package memo

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// A Fingerprint is equal for plans that compute the same, in every process.
// Names of columns are not part of it.
type Fingerprint [16]byte

// A Memo holds one node for each distinct plan it has seen. It serves one planning and is
// not safe for concurrent use.
type Memo struct {
	nodes map[Fingerprint]rel.Node
	fps   map[rel.Node]Fingerprint
	props map[rel.Node]*Props
	buf   []byte
}

// New is an empty memo.
func New() *Memo {
	return &Memo{nodes: map[Fingerprint]rel.Node{}, fps: map[rel.Node]Fingerprint{}, props: map[rel.Node]*Props{}}
}

// Intern gives the one node that stands for all plans equal to n: the first
// that was interned. Its inputs are interned too.
func (m *Memo) Intern(n rel.Node) rel.Node {
	if _, ok := m.fps[n]; ok {
		return n
	}
	old := n.Inputs()
	in := make([]rel.Node, len(old))
	for i, c := range old {
		in[i] = m.Intern(c)
	}
	n = rel.WithInputs(n, in)
	m.buf = m.appendNode(m.buf[:0], n)
	sum := sha256.Sum256(m.buf)
	fp := Fingerprint(sum[:16])
	if have, ok := m.nodes[fp]; ok {
		return have
	}
	m.nodes[fp], m.fps[n] = n, fp
	return n
}

// Fingerprint gives the fingerprint of a plan.
func (m *Memo) Fingerprint(n rel.Node) Fingerprint { return m.fps[m.Intern(n)] }

// Tags of a node's encoding.
const (
	tagScan = iota + 1
	tagValues
	tagFilter
	tagProject
	tagJoin
	tagGroupBy
	tagDistinct
	tagUnion
	tagTopK
)

// appendNode appends the canonical encoding of a node whose inputs are interned.
func (m *Memo) appendNode(dst []byte, n rel.Node) []byte {
	switch n := n.(type) {
	case *rel.Scan:
		dst = binary.BigEndian.AppendUint32(append(dst, tagScan), n.ID)
		dst = appendTypes(dst, n.Cols)
	case *rel.Values:
		dst = appendTypes(append(dst, tagValues), n.Cols)
		dst = binary.AppendUvarint(dst, uint64(len(n.Rows)))
		for _, r := range n.Rows {
			dst = appendExprs(dst, r)
		}
	case *rel.Filter:
		dst = appendExprs(append(dst, tagFilter), n.Preds)
	case *rel.Project:
		dst = appendExprs(append(dst, tagProject), n.Exprs)
	case *rel.Join:
		dst = appendExprs(append(dst, tagJoin, byte(n.Kind)), n.On)
	case *rel.GroupBy:
		dst = appendExprs(append(dst, tagGroupBy), n.Keys)
		dst = binary.AppendUvarint(dst, uint64(len(n.Aggs)))
		for _, a := range n.Aggs {
			dst = scalar.AppendAggFingerprint(dst, a)
		}
	case *rel.Distinct:
		dst = append(dst, tagDistinct)
	case *rel.Union:
		dst = append(dst, tagUnion)
	case *rel.TopK:
		dst = binary.AppendUvarint(append(dst, tagTopK), uint64(len(n.Keys)))
		for _, k := range n.Keys {
			dst = append(scalar.AppendFingerprint(dst, k.Expr), flag(k.Desc)|flag(k.NullsFirst)<<1)
		}
		dst = scalar.AppendFingerprint(dst, n.Limit)
		dst = scalar.AppendFingerprint(dst, n.Offset)
	}
	in := n.Inputs()
	dst = binary.AppendUvarint(dst, uint64(len(in)))
	for _, c := range in {
		fp := m.fps[c]
		dst = append(dst, fp[:]...)
	}
	return dst
}

func appendTypes(dst []byte, s types.Schema) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	for _, c := range s {
		dst = binary.AppendUvarint(dst, uint64(c.Type.OID))
		dst = binary.AppendVarint(dst, int64(c.Type.Mod))
	}
	return dst
}

func appendExprs(dst []byte, es []scalar.Expr) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(es)))
	for _, e := range es {
		dst = scalar.AppendFingerprint(dst, e)
	}
	return dst
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

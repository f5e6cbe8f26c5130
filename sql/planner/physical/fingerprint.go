package physical

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// StateVersion is part of every fingerprint: raise it when an operator's
// state format changes, so that old state is left alone and the operator is hydrated anew.
const StateVersion = 2

// Tags of a node's encoding.
const (
	tagSource = iota + 1
	tagConstant
	tagMap
	tagArrange
	tagJoin
	tagReduce
	tagDistinct
	tagUnion
	tagSink
)

// fingerprint computes a node's fingerprint from its fields and its inputs' fingerprints.
func fingerprint(n Node) Fingerprint {
	var space [512]byte
	sum := sha256.Sum256(appendNode(append(space[:0], StateVersion), n))
	return Fingerprint(sum[:16])
}

func appendNode(dst []byte, n Node) []byte {
	switch n := n.(type) {
	case *Source:
		dst = binary.BigEndian.AppendUint32(append(dst, tagSource), n.Relation)
		dst = appendTypes(dst, n.Out)
		dst = appendLookup(appendInts(dst, n.Key), n.Lookup)
	case *Constant:
		dst = appendTypes(append(dst, tagConstant), n.Out)
		dst = binary.AppendUvarint(dst, uint64(len(n.Rows)))
		for _, r := range n.Rows {
			dst = append(binary.AppendUvarint(dst, uint64(len(r))), r...)
		}
	case *Map:
		dst = appendExprs(append(dst, tagMap), n.Preds)
		dst = append(dst, flags(n.Exprs != nil))
		dst = appendExprs(dst, n.Exprs)
	case *Arrange:
		dst = appendInts(append(dst, tagArrange), n.Key)
		if n.Of != nil {
			dst = appendInts(appendInts(dst, n.Of.Cols), n.Of.Tell)
		}
	case *Join:
		dst = appendInts(append(dst, tagJoin, byte(n.Kind)), n.LKey)
		dst = appendExprs(appendInts(dst, n.RKey), n.Residual)
	case *Reduce:
		dst = appendInts(append(dst, tagReduce), n.Keys)
		dst = binary.AppendUvarint(dst, uint64(len(n.Aggs)))
		for _, a := range n.Aggs {
			dst = append(binary.AppendUvarint(dst, uint64(len(a.Fn.ID))), a.Fn.ID...)
			dst = append(appendInts(dst, []int{a.Arg, a.Filter}), flags(a.Distinct))
			dst = appendTypes(dst, []types.Type{a.Typ})
		}
		if n.Tell != nil {
			dst = appendInts(dst, n.Tell)
		}
	case *Distinct:
		dst = append(dst, tagDistinct)
	case *Union:
		dst = append(dst, tagUnion)
	case *Sink:
		dst = appendInts(append(dst, tagSink), n.Key)
	}
	in := n.Inputs()
	dst = binary.AppendUvarint(dst, uint64(len(in)))
	for _, c := range in {
		fp := c.Fingerprint()
		dst = append(dst, fp[:]...)
	}
	return dst
}

func appendLookup(dst []byte, l *Lookup) []byte {
	if l == nil {
		return append(dst, 0)
	}
	dst = appendExprs(append(dst, 1), l.Eq)
	dst = scalar.AppendFingerprint(scalar.AppendFingerprint(dst, l.Low), l.High)
	return append(dst, flags(l.LowX, l.HighX))
}

func appendInts(dst []byte, list []int) []byte {
	dst = binary.AppendUvarint(append(dst, flags(list == nil)), uint64(len(list)))
	for _, i := range list {
		dst = binary.AppendVarint(dst, int64(i))
	}
	return dst
}

func appendTypes(dst []byte, ts []types.Type) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(ts)))
	for _, t := range ts {
		dst = binary.AppendVarint(binary.AppendUvarint(dst, uint64(t.OID)), int64(t.Mod))
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

func flags(bits ...bool) byte {
	var f byte
	for i, b := range bits {
		if b {
			f |= 1 << i
		}
	}
	return f
}

package memo

import (
	"slices"

	"github.com/helios-sql/helios-sql/sql/planner/rel"
)

// Keys are unique keys, each a sorted list of columns: at most one row of the
// relation has a given key, NULLs being equal to each other. An empty key says: at
// most one row. No key is contained in another, shorter ones come first.
type Keys [][]int

// maxKeys bounds how many keys are remembered.
const maxKeys = 12

// Add adds a key, unless one that it contains is known.
func (ks Keys) Add(key []int) Keys {
	key = slices.Compact(slices.Sorted(slices.Values(key)))
	for _, k := range ks {
		if subset(k, key) {
			return ks
		}
	}
	ks = append(slices.DeleteFunc(slices.Clone(ks), func(k []int) bool { return subset(key, k) }), key)
	slices.SortStableFunc(ks, func(a, b []int) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return slices.Compare(a, b)
	})
	return ks[:min(len(ks), maxKeys)]
}

// Best gives the preferred key: the shortest, then the leftmost; nil if there is none.
func (ks Keys) Best() []int {
	if len(ks) == 0 {
		return nil
	}
	return ks[0]
}

// Covered reports whether some key is among cols.
func (ks Keys) Covered(cols []int) bool {
	return slices.ContainsFunc(ks, func(k []int) bool { return subset(k, cols) })
}

// Project gives the keys of a projection: from[i] is the input column that output
// column i repeats, −1 for none.
func (ks Keys) Project(from []int) Keys {
	var out Keys
	for _, k := range ks {
		key := make([]int, 0, len(k))
		for _, c := range k {
			if i := slices.Index(from, c); i >= 0 {
				key = append(key, i)
			}
		}
		if len(key) == len(k) {
			out = out.Add(key)
		}
	}
	return out
}

// Without gives the keys when the columns for which fixed is true have one value only.
func (ks Keys) Without(fixed func(col int) bool) Keys {
	var out Keys
	for _, k := range ks {
		out = out.Add(slices.DeleteFunc(slices.Clone(k), fixed))
	}
	return out
}

func subset(a, b []int) bool {
	for _, x := range a {
		if !slices.Contains(b, x) {
			return false
		}
	}
	return true
}

// JoinKeys gives the keys of a join whose inputs have keys l and r, whose
// left input has nl columns, and that joins columns lkey[i] = rkey[i].
// full tells whether, in a full join, no two unmatched rows can share a key of NULLs.
func JoinKeys(kind rel.JoinKind, l, r Keys, nl int, lkey, rkey []int, full bool) Keys {
	if kind == rel.Semi || kind == rel.Anti {
		return l
	}
	var out Keys
	if (kind == rel.Inner || kind == rel.Left) && r.Covered(rkey) {
		for _, k := range l {
			out = out.Add(k)
		}
	}
	if (kind == rel.Inner || kind == rel.Right) && l.Covered(lkey) {
		for _, k := range r {
			out = out.Add(shifted(k, nl))
		}
	}
	if kind == rel.Full && !full {
		return out
	}
	for _, a := range l {
		for _, b := range r {
			out = out.Add(append(slices.Clone(a), shifted(b, nl)...))
		}
	}
	// A column may stand for the one that it equals. In a left join the left one may stand for the
	// right one: its keys contain a left key, and rows of one left row are all matched or one.
	for i := range lkey {
		if kind == rel.Inner || kind == rel.Left {
			out = out.replaced(rkey[i]+nl, lkey[i])
		}
		if kind == rel.Inner {
			out = out.replaced(lkey[i], rkey[i]+nl)
		}
	}
	return out
}

// replaced adds keys with one column in place of another.
func (ks Keys) replaced(from, to int) Keys {
	out := ks
	for _, k := range ks {
		if i := slices.Index(k, from); i >= 0 {
			k = slices.Clone(k)
			k[i] = to
			out = out.Add(k)
		}
	}
	return out
}

func shifted(key []int, by int) []int {
	out := make([]int, len(key))
	for i, c := range key {
		out[i] = c + by
	}
	return out
}

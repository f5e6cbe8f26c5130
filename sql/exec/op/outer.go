package op

import (
	"bytes"

	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/types"
)

// Kept rows are those that an outer join fills up with NULLs because they have
// no match, that an anti join lets through for the same reason, or a semi join because they
// have one. Their change, for a side D and the other side O:
//
//	d kept = [kept after] (D'+dD) − [kept before] D'
//
// Without a residual condition a match depends on the key alone, and whether O has the key after
// the tick is known from its change and one entry more: no counts are kept. With one, it
// depends on the row: the pairs of the change, which are evaluated anyway, tell which
// rows of D' can change, and O is searched up to the first match for those.

// A pairCount counts, for a row of the change, the other side's matching rows
// before the tick, and by how much they change in it.
type pairCount struct{ before, change int64 }

func zeroCounts(c []pairCount, n int) []pairCount {
	if cap(c) < n {
		c = make([]pairCount, n)
	}
	c = c[:n]
	clear(c)
	return c
}

// keep appends a kept row's image.
func (j *Join) keep(dst []byte, row types.Row, left bool) []byte {
	switch {
	case j.kind == rel.Semi || j.kind == rel.Anti:
		return append(dst, row...)
	case left:
		return append(append(dst, row...), j.r.nulls...)
	}
	return append(append(dst, j.l.nulls...), row...)
}

func (j *Join) emitKept(row types.Row, w int64, left bool, out *Delta) {
	if w != 0 {
		out.Rows.End(j.keep(out.Rows.Begin(), row, left), w)
	}
}

// evalKept puts out the change of d's kept rows; left says that d is the left
// side.
func (j *Join) evalKept(d, o *side, counts []pairCount, left bool, out *Delta) {
	dd, od := d.delta, o.delta
	ifMatch := j.kind == rel.Semi
	for a, b := 0, 0; a < dd.len() || b < od.len(); {
		ga, gb := a, b
		c := 0
		switch {
		case a == dd.len():
			c = 1
		case b == od.len():
			c = -1
		default:
			c = bytes.Compare(dd.key(a), od.key(b))
		}
		var key []byte
		null := false
		if c <= 0 {
			ga, key, null = dd.group(a), dd.key(a), dd.ents[a].null
		}
		if c >= 0 {
			gb, key, null = od.group(b), od.key(b), od.ents[b].null
		}
		switch {
		case null:
			for x := a; x < ga && !ifMatch; x++ {
				j.emitKept(dd.row(x), dd.ents[x].w, left, out)
			}
		case j.residual == nil:
			j.keptByKey(d, o, key, a, ga, b, gb, left, out)
		default:
			j.keptByRow(d, o, key, counts, a, ga, b, gb, left, out)
		}
		a, b = ga, gb
	}
}

// keptByKey handles the rows of d with a key, when all rows with the key match.
func (j *Join) keptByKey(d, o *side, key []byte, a, ga, b, gb int, left bool, out *Delta) {
	dd := d.delta
	before, after := o.matches(key, b, gb)
	ifMatch := j.kind == rel.Semi
	keptBefore, keptAfter := before == ifMatch, after == ifMatch
	if keptAfter {
		for x := a; x < ga; x++ {
			j.emitKept(dd.row(x), dd.ents[x].w, left, out)
		}
	}
	if keptBefore == keptAfter {
		return
	}
	sign := int64(1)
	if keptBefore {
		sign = -1
	}
	for ok := d.cur.Seek(key); ok; ok = d.cur.Next() {
		row, w := d.current(&d.cur, len(key))
		j.emitKept(row, sign*w, left, out)
	}
}

// matches reports whether a side has rows with the key before the tick and
// after it; b to gb are the key's changes.
func (s *side) matches(key []byte, b, gb int) (before, after bool) {
	for i := b; i < gb; i++ {
		after = after || s.delta.ents[i].w > 0
	}
	for ok := s.cur.Seek(key); ok; ok = s.cur.Next() {
		before = true
		if after {
			break
		}
		row, w := s.current(&s.cur, len(key))
		after = w+s.delta.weightOf(row, b, gb) > 0
	}
	return before, after
}

// keptByRow handles the rows of d with a key under a residual condition. The
// errors of the condition are out already.
func (j *Join) keptByRow(d, o *side, key []byte, counts []pairCount, a, ga, b, gb int, left bool, out *Delta) {
	dd := d.delta
	ifMatch := j.kind == rel.Semi
	// Rows of the change: their matches are counted. Those that were there before are
	// settled with d's state below, if the other side changes at all.
	for x := a; x < ga; x++ {
		c := counts[x]
		if (c.before+c.change > 0) == ifMatch {
			j.emitKept(dd.row(x), dd.ents[x].w, left, out)
		}
	}
	if b == gb {
		return
	}
	for ok := d.cur.Seek(key); ok; ok = d.cur.Next() {
		row, w := d.current(&d.cur, len(key))
		if !j.touched(row, o.delta, b, gb, left) {
			continue
		}
		before, after := j.matchesRow(row, o, key, b, gb, left)
		switch {
		case before == after:
		case after == ifMatch:
			j.emitKept(row, w, left, out)
		default:
			j.emitKept(row, -w, left, out)
		}
	}
}

// satisfies is match with the row's side told; a scalar error is no match.
func (j *Join) satisfies(row, other types.Row, left bool) bool {
	if !left {
		row, other = other, row
	}
	ok, err := j.match(row, other)
	return ok && err == nil
}

// touched reports whether a row of the state matches any of the other side's
// changes b to gb.
func (j *Join) touched(row types.Row, od *keyed, b, gb int, left bool) bool {
	for y := b; y < gb; y++ {
		if j.satisfies(row, od.row(y), left) {
			return true
		}
	}
	return false
}

// matchesRow is matches for one row under the residual condition.
func (j *Join) matchesRow(row types.Row, o *side, key []byte, b, gb int, left bool) (before, after bool) {
	for y := b; y < gb; y++ {
		after = after || o.delta.ents[y].w > 0 && j.satisfies(row, o.delta.row(y), left)
	}
	for ok := o.cur.Seek(key); ok && !(before && after); ok = o.cur.Next() {
		orow, w := o.current(&o.cur, len(key))
		if !j.satisfies(row, orow, left) {
			continue
		}
		before = true
		after = after || w+o.delta.weightOf(orow, b, gb) > 0
	}
	return before, after
}

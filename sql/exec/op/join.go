package op

import (
	"bytes"
	"context"
	"errors"

	"github.com/helios-sql/helios-sql/sql/exec/eval"
	"github.com/helios-sql/helios-sql/sql/planner/rel"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/helios-sql/helios-sql/sql/zset"
)

// A Join joins two arranged inputs on equal keys:
//
//	d(L⋈R) = dL⋈R' + L'⋈dR + dL⋈dR, a prime being the state before the tick
//
// It keeps no state of its own: it reads the arrangements of its inputs. Cost: one seek
// per key touched on each side, and one step per pair of rows put out.
//
// The rows that an outer, semi or anti join adds are in outer.go.
type Join struct {
	kind     rel.JoinKind
	l, r     side
	residual *eval.Filter // nil: none
	frame    *eval.Frame
	stream   bool // Scan reads the left input's scan, not its arrangement
	pair     []byte
	lcount   []pairCount // per entry of l.delta, if there is a residual and the left side needs it
	rcount   []pairCount
}

// A Side is one input of a join: rows of types Types, arranged in Rows, either
// as a stored relation with a unique key (Keyed: Key → Row) or else as Key ‖ Row → count,
// by the columns Key (a stored relation's unique key may go on behind them, unless Whole says
// that it is Key), or by a KeyIndex (then Rows is an *Indexed, and Keyed is true).
type Side struct {
	Types []types.Type
	Key   []int
	Rows  Arrangement
	Keyed bool
	Whole bool
}

type side struct {
	Side
	keyer
	indexed bool     // to walk the input is cheaper than to walk Rows
	own     keyed    // the input's change by key
	delta   *keyed   // own, or the input's
	shared  *Arrange // the input, if its change by key may be used
	nulls   types.Row
	cur     reader
}

// read makes delta the input's change by key.
func (s *side) read(d *Delta) {
	s.delta = &s.own
	switch {
	case s.shared == nil:
		s.load(&s.own, d)
	case d.Rows.Len() == 0:
		s.own.reset()
	default:
		s.delta = &s.shared.delta
	}
}

func newSide(s Side) side {
	_, indexed := s.Rows.(*Indexed)
	return side{Side: s, indexed: indexed, keyer: newKeyer(s.Types, s.Key), nulls: make(types.Row, len(s.Types)),
		cur: reader{rows: s.Rows, points: s.Keyed && s.Whole}}
}

// current gives the entry the cursor is at, under a key of n bytes.
func (s *side) current(cur zset.Cursor, n int) (types.Row, int64) {
	if s.Keyed {
		return cur.Value(), 1
	}
	return cur.Key()[n:], count(cur.Value())
}

// NewJoin gives the operator; residual is over the left row and then the
// right.
func NewJoin(kind rel.JoinKind, l, r Side, residual []scalar.Expr, c *eval.Context) (*Join, error) {
	j := &Join{kind: kind, l: newSide(l), r: newSide(r), frame: eval.NewFrame(c)}
	if len(residual) > 0 {
		both := append(append([]types.Type(nil), l.Types...), r.Types...)
		f, err := eval.CompileFilter(residual, both)
		if err != nil {
			return nil, err
		}
		j.residual = f
	}
	return j, nil
}

// Share tells the join that its inputs are these operators of its own
// circuit (nil: unknown), which have the changes sorted by key already.
func (j *Join) Share(l, r *Arrange) { j.l.shared, j.r.shared = l, r }

// pairs reports whether the join puts out pairs of rows.
func (j *Join) pairs() bool { return j.kind != rel.Semi && j.kind != rel.Anti }

// keeps, keepsLeft and keepsRight report whether rows of that side are put out by
// whether they have a match.
func (j *Join) keepsLeft() bool  { return j.kind != rel.Inner && j.kind != rel.Right }
func (j *Join) keepsRight() bool { return j.kind == rel.Right || j.kind == rel.Full }
func (j *Join) keeps(left bool) bool {
	if left {
		return j.keepsLeft()
	}
	return j.keepsRight()
}

// Eval joins the changes.
func (j *Join) Eval(in []*Delta, out *Delta) (err error) {
	out.Errs.AppendBatch(&in[0].Errs, 1)
	out.Errs.AppendBatch(&in[1].Errs, 1)
	j.l.read(in[0])
	j.r.read(in[1])
	if j.l.delta.len()+j.r.delta.len() == 0 {
		return nil
	}
	defer func() { err = errors.Join(err, j.l.cur.Close(), j.r.cur.Close()) }()
	if j.residual != nil {
		j.lcount = zeroCounts(j.lcount, j.l.delta.len())
		j.rcount = zeroCounts(j.rcount, j.r.delta.len())
	}
	if j.pairs() || j.residual != nil {
		if err := j.evalPairs(out); err != nil {
			return err
		}
	}
	if j.keepsLeft() {
		j.evalKept(&j.l, &j.r, j.lcount, true, out)
	}
	if j.keepsRight() {
		j.evalKept(&j.r, &j.l, j.rcount, false, out)
	}
	return nil
}

func (j *Join) evalPairs(out *Delta) error {
	l, r := j.l.delta, j.r.delta
	if err := j.half(&j.l, &j.r, true, out); err != nil { // dL⋈R'
		return err
	}
	if err := j.half(&j.r, &j.l, false, out); err != nil { // L'⋈dR
		return err
	}
	for a, b := 0, 0; a < l.len() && b < r.len(); { // dL⋈dR
		ga, gb := l.group(a), r.group(b)
		switch c := bytes.Compare(l.key(a), r.key(b)); {
		case c < 0:
			a = ga
			continue
		case c > 0:
			b = gb
			continue
		}
		if !l.ents[a].null {
			for x := a; x < ga; x++ {
				for y := b; y < gb; y++ {
					ok, err := j.emit(l.row(x), r.row(y), l.ents[x].w*r.ents[y].w, out)
					if err != nil {
						return err
					}
					if ok && j.residual != nil {
						j.lcount[x].change += r.ents[y].w
						j.rcount[y].change += l.ents[x].w
					}
				}
			}
		}
		a, b = ga, gb
	}
	return nil
}

// half joins the change of d with the state of s; left says that d is the left
// side.
func (j *Join) half(d, s *side, left bool, out *Delta) error {
	kd := d.delta
	counts := j.lcount
	if !left {
		counts = j.rcount
	}
	s.cur.lookUp(kd)
	for a, b := 0, 0; a < kd.len(); a = b {
		b = kd.group(a)
		if kd.ents[a].null {
			continue
		}
		key := kd.key(a)
		for ok := s.cur.Seek(key); ok; ok = s.cur.Next() {
			row, w := s.current(&s.cur, len(key))
			for x := a; x < b; x++ {
				lrow, rrow := kd.row(x), row
				if !left {
					lrow, rrow = rrow, lrow
				}
				ok, err := j.emit(lrow, rrow, kd.ents[x].w*w, out)
				if err != nil {
					return err
				}
				if ok && j.residual != nil {
					counts[x].before += w
				}
			}
		}
	}
	return nil
}

// match evaluates the residual on a pair; a scalar error comes back as err.
func (j *Join) match(l, r types.Row) (bool, error) {
	if j.residual == nil {
		return true, nil
	}
	j.pair = append(append(j.pair[:0], l...), r...)
	j.frame.SetRow(j.pair)
	return j.residual.Bool(j.frame)
}

// emit puts out a pair if it satisfies the residual and the join puts out
// pairs, and the error if the residual fails.
func (j *Join) emit(l, r types.Row, w int64, out *Delta) (bool, error) {
	ok, err := j.match(l, r)
	if err != nil {
		return false, AppendError(&out.Errs, err, w)
	}
	if ok && j.pairs() {
		out.Rows.AppendConcat(l, r, w)
	}
	return ok, nil
}

// Stream makes Scan take the left rows from the left input's scan: its
// arrangement may be empty. Not for right and full joins.
func (j *Join) Stream() { j.stream = true }

// Scan walks one side and seeks in the other's arrangement.
func (j *Join) Scan(ctx context.Context, in []ScanFunc, emit, emitErr Emit) error {
	onlyErrs := emit == nil && j.residual == nil
	for i, scan := range in {
		if emitErr == nil || i == 0 && j.stream && !onlyErrs {
			continue
		}
		if err := scan(ctx, nil, emitErr); err != nil {
			return err
		}
	}
	if onlyErrs {
		return nil
	}
	s := joinScan{j: j, emit: emit, emitErr: emitErr}
	if j.stream {
		return s.side(ctx, in, true)
	}
	// An index is not sought in for rows, if the other side can be.
	left := !j.pairs() || j.l.indexed || !j.r.indexed
	if err := s.side(ctx, in, left); err != nil {
		return err
	}
	if j.pairs() && j.keeps(!left) && emit != nil {
		s.onlyKept = true
		return s.side(ctx, in, !left)
	}
	return nil
}

// A joinScan is one enumeration of a join.
type joinScan struct {
	j             *Join
	emit, emitErr Emit
	onlyKept      bool // the pairs are out already
	row, buf      []byte
	steps         int
}

// side walks the left side, or the right one, and seeks in the other.
func (s *joinScan) side(ctx context.Context, in []ScanFunc, left bool) (err error) {
	d, o, scan := &s.j.l, &s.j.r, in[0]
	if !left {
		d, o, scan = o, d, in[1]
	}
	other, err := o.Rows.Cursor()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, other.Close()) }()
	key := d.keyer
	key.spans = nil
	one := func(row types.Row, w int64, key []byte, null bool) error {
		return s.one(ctx, row, w, key, null, other, o, left)
	}
	switch {
	case s.j.stream:
		return s.streamed(ctx, scan, key, one)
	case d.indexed:
		return sorted(ctx, scan, key, one)
	}
	return walked(ctx, d, key, one)
}

// A pairFunc takes a row of the walked side with its weight, its key and
// whether that has a NULL.
type pairFunc func(row types.Row, w int64, key []byte, null bool) error

// sortRows and sortBytes bound what sorted holds.
const (
	sortRows  = 50_000
	sortBytes = 16 << 20
)

// sorted walks a side's input and brings many rows at a time into the order of
// the other side.
func sorted(ctx context.Context, scan ScanFunc, key keyer, one pairFunc) error {
	var rows keyed
	rows.reset()
	flush := func() error {
		rows.sort()
		for i := range rows.len() {
			if err := one(rows.row(i), rows.ents[i].w, rows.key(i), rows.ents[i].null); err != nil {
				return err
			}
		}
		rows.reset()
		return nil
	}
	err := scan(ctx, func(row types.Row, w int64) error {
		off := len(rows.data)
		buf, null := key.append(rows.data, row)
		rows.end(append(buf, row...), off, len(buf), null, w)
		if rows.len() < sortRows && len(rows.data) < sortBytes {
			return nil
		}
		return flush()
	}, nil)
	if err != nil {
		return err
	}
	return flush()
}

// walked walks a side's arrangement.
func walked(ctx context.Context, d *side, key keyer, one pairFunc) error {
	return walk(ctx, d.Rows, nil, nil, func(k, v []byte) error {
		n := types.SkipKey(k, d.ts)
		row, w := types.Row(v), int64(1)
		if !d.Keyed {
			row, w = k[n:], count(v)
		}
		null := false
		key.spans = row.Spans(key.width, key.spans)
		for _, c := range key.cols {
			null = null || key.spans[c].Len < 0
		}
		return one(row, w, k[:n], null)
	})
}

// streamed walks a side's input, and takes its errors along.
func (s *joinScan) streamed(ctx context.Context, scan ScanFunc, key keyer, one pairFunc) error {
	var k []byte
	return scan(ctx, func(row types.Row, w int64) error {
		var null bool
		k, null = key.append(k[:0], row)
		return one(row, w, k, null)
	}, s.emitErr)
}

// one puts out what a row of the walked side adds.
func (s *joinScan) one(ctx context.Context, row types.Row, w int64, key []byte, null bool, other zset.Cursor, o *side, left bool) error {
	j, matched := s.j, false
	for ok := !null && other.Seek(key); ok; ok = other.Next() {
		if s.steps++; s.steps%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if j.residual == nil && (!j.pairs() || s.onlyKept) {
			matched = true
			break
		}
		orow, ow := o.current(other, len(key))
		l, r := row, orow
		if !left {
			l, r = r, l
		}
		ok, err := j.match(l, r)
		if err != nil {
			if s.emitErr == nil || s.onlyKept {
				continue
			}
			if s.buf, err = errorRow(s.buf[:0], err); err != nil {
				return err
			}
			if err := s.emitErr(s.buf, w*ow); err != nil {
				return err
			}
			continue
		}
		if !ok {
			continue
		}
		matched = true
		if s.onlyKept {
			break
		}
		if !j.pairs() {
			continue
		}
		if s.emit != nil {
			s.row = append(append(s.row[:0], l...), r...)
			if err := s.emit(s.row, w*ow); err != nil {
				return err
			}
		}
	}
	if s.emit == nil || !j.keeps(left) || matched == (j.kind != rel.Semi) {
		return nil
	}
	s.row = j.keep(s.row[:0], row, left)
	return s.emit(s.row, w)
}

package op

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/sql/types"
)

// A Reduce keeps one output row per live group: when a group changes it
// retracts the old row and emits the new, if they differ. Without keys there is one group, which
// is always live. An aggregate that fails (bigint out of range) makes the group an error.
//
// State: part "groups", Key → number of rows, the key columns' values, an accumulator per
// aggregate; "values<i>" and "distinct<i>", see valueIndex and distinctIndex; "keys", if equal keys
// can differ in bytes (numeric 1.0, 1.00): Key ‖ key columns → count, of which the least
// by bytes represents the group; "errs". Cost: one read and one write per group touched, and those
// of the indexes.
//
// It reads before it writes: a blind merge could not tell that a group is empty.
type Reduce struct {
	keyer
	ncols  int
	aggs   []aggregate
	groups Arrangement
	errs   bag
	delta  keyed

	reps     *index   // nil: keys tell their values
	indexes  []*index // all of them
	rows     int64    // of the group at hand
	rep      []byte
	old, new []byte
	state    []byte
	accState []byte
	started  bool
}

// An outcome is what a group puts out.
type outcome uint8

const (
	nothing outcome = iota
	aRow
	anError
)

// An aggregate is one aggregate of a Reduce, with its accumulator for the group
// at hand.
type aggregate struct {
	arg, filter int
	acc         accumulator
	values      *valueIndex    // min, max
	distinct    *distinctIndex // DISTINCT, where it matters
}

// An accumulator is the state of one aggregate in one group. One object serves
// all groups in turn: it is reset or loaded, changed, saved.
type accumulator interface {
	reset()
	// load reads what save appended.
	load(state []byte)
	save(dst []byte) []byte
	// add takes a value w times (retracts it −w times); nil if there is no argument.
	add(payload []byte, w int64)
	// result appends the aggregate as a value of a row.
	result(dst []byte) ([]byte, error)
}

// NewReduce gives the operator over rows of types in, of which the columns
// tell, if there are any, are a unique key.
func NewReduce(in []types.Type, keys []int, aggs []physical.Agg, tell []int, open Open) (*Reduce, error) {
	r := &Reduce{keyer: newKeyer(in, keys)}
	r.ncols = r.width
	var err error
	if r.groups, err = open("groups"); err != nil {
		return nil, err
	}
	if r.errs.a, err = open("errs"); err != nil {
		return nil, err
	}
	for _, t := range r.ts {
		if !types.KeyTells(t.OID) && r.reps == nil {
			a, err := open("keys")
			if err != nil {
				return nil, err
			}
			r.reps = &index{cur: reader{rows: a}}
			r.indexes = append(r.indexes, r.reps)
		}
	}
	for i, spec := range aggs {
		a, err := newAggregate(i, spec, in, open)
		if err != nil {
			return nil, err
		}
		r.ncols = max(r.ncols, spec.Arg+1, spec.Filter+1)
		if a.values != nil {
			a.values.tell, a.values.unique = tell, tell != nil
			for _, c := range tell {
				r.ncols = max(r.ncols, c+1)
			}
			r.indexes = append(r.indexes, &a.values.index)
		}
		if a.distinct != nil {
			r.indexes = append(r.indexes, &a.distinct.index)
		}
		r.aggs = append(r.aggs, a)
	}
	return r, nil
}

// GrowOnly promises that no row will be retracted: what min and max would
// keep for that is not kept.
func (r *Reduce) GrowOnly() {
	if r.reps != nil {
		r.reps.grows = true
	}
	for i := range r.aggs {
		if v := r.aggs[i].values; v != nil {
			v.grows = true
		}
	}
}

// Eval brings the touched groups up to date.
func (r *Reduce) Eval(in []*Delta, out *Delta) (err error) {
	out.Errs.AppendBatch(&in[0].Errs, 1)
	if err := r.errs.add(&in[0].Errs); err != nil {
		return err
	}
	r.keyer.load(&r.delta, in[0])
	if r.delta.len() == 0 && (len(r.cols) > 0 || r.started) {
		return nil
	}
	defer func() { err = errors.Join(err, r.close()) }()
	r.started = true
	if r.delta.len() == 0 {
		return r.group([]byte{}, 0, 0, out)
	}
	for i, j := 0, 0; i < r.delta.len(); i = j {
		j = r.delta.group(i)
		if err := r.group(r.delta.key(i), i, j, out); err != nil {
			return err
		}
	}
	return nil
}

// group applies the changes i to j, which share the key.
func (r *Reduce) group(key []byte, i, j int, out *Delta) error {
	value, had, err := r.groups.Get(key)
	if err != nil {
		return err
	}
	oldIs, newIs := nothing, nothing
	if had {
		r.restore(value)
		if r.old, oldIs, err = r.render(r.old[:0]); err != nil {
			return err
		}
	} else {
		r.reset()
	}
	for e := i; e < j; e++ {
		r.add(r.delta.row(e), r.delta.ents[e].w)
	}
	if err := r.finish(key); err != nil {
		return err
	}
	switch {
	case r.rows < 0:
		return pgerr.Newf(pgerr.InternalError, "a group has %d rows", r.rows)
	case r.rows == 0 && len(r.cols) > 0:
		if had {
			err = r.groups.Delete(key)
		}
	default:
		if r.new, newIs, err = r.render(r.new[:0]); err != nil {
			return err
		}
		r.state = r.save(r.state[:0])
		err = r.groups.Set(key, r.state)
	}
	if err != nil || oldIs == newIs && (newIs == nothing || bytes.Equal(r.old, r.new)) {
		return err
	}
	emitOutcome(out, oldIs, r.old, -1)
	emitOutcome(out, newIs, r.new, 1)
	return nil
}

func emitOutcome(out *Delta, is outcome, row []byte, w int64) {
	switch is {
	case aRow:
		out.Rows.Append(row, w)
	case anError:
		out.Errs.Append(row, w)
	}
}

// add applies one change to the loaded group.
func (r *Reduce) add(row types.Row, w int64) {
	r.rows += w
	r.spans = row.Spans(r.ncols, r.spans)
	if r.reps != nil {
		kd := &r.reps.changes
		off := len(kd.data)
		kd.end(r.appendRep(kd.data, row), off, off, false, w)
	} else if len(r.rep) == 0 {
		r.rep = r.appendRep(r.rep, row)
	}
	for i := range r.aggs {
		a := &r.aggs[i]
		if a.filter >= 0 {
			s := r.spans[a.filter]
			if s.Len < 0 || row[s.Off] == 0 {
				continue
			}
		}
		if a.arg < 0 {
			a.acc.add(nil, w)
			continue
		}
		s := r.spans[a.arg]
		switch {
		case s.Len < 0:
		case a.values != nil:
			a.values.collect(row, s, r.spans, w)
		case a.distinct != nil:
			a.distinct.collect(row, s, w)
		default:
			a.acc.add(row[s.Off:s.Off+s.Len], w)
		}
	}
}

// appendRep appends the key columns of a row whose spans are at hand.
func (r *Reduce) appendRep(dst []byte, row types.Row) []byte {
	for _, c := range r.cols {
		dst = appendSpan(dst, row, r.spans[c])
	}
	return dst
}

// appendSpan appends a value, with its header, of another row.
func appendSpan(dst []byte, row types.Row, s types.Span) []byte {
	if s.Len < 0 {
		return types.AppendNull(dst)
	}
	return types.AppendValue(dst, row[s.Off:s.Off+s.Len])
}

// finish brings the indexes up to date for the group with the key.
func (r *Reduce) finish(key []byte) error {
	if r.reps != nil {
		if err := r.reps.settle(key, &r.rep); err != nil {
			return err
		}
	}
	for i := range r.aggs {
		a := &r.aggs[i]
		var err error
		switch {
		case a.values != nil:
			err = a.values.finish(key)
		case a.distinct != nil:
			err = a.distinct.finish(key, a.acc)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *Reduce) reset() {
	r.rows, r.rep = 0, r.rep[:0]
	for i := range r.aggs {
		r.aggs[i].acc.reset()
	}
}

// restore loads a group from what save made of it.
func (r *Reduce) restore(state []byte) {
	n, k := binary.Uvarint(state)
	r.rows, state = int64(n), state[k:]
	rep, state := cut(state)
	r.rep = append(r.rep[:0], rep...)
	for i := range r.aggs {
		var s []byte
		s, state = cut(state)
		r.aggs[i].acc.load(s)
	}
}

// cut splits off what appendCut appended.
func cut(b []byte) (first, rest []byte) {
	n, k := binary.Uvarint(b)
	return b[k : k+int(n)], b[k+int(n):]
}

// appendCut appends bytes with their length.
func appendCut(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

func (r *Reduce) save(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(r.rows))
	dst = appendCut(dst, r.rep)
	for i := range r.aggs {
		r.accState = r.aggs[i].acc.save(r.accState[:0])
		dst = appendCut(dst, r.accState)
	}
	return dst
}

// render appends what the loaded group puts out.
func (r *Reduce) render(dst []byte) ([]byte, outcome, error) {
	dst = append(dst, r.rep...)
	for i := range r.aggs {
		var err error
		if dst, err = r.aggs[i].acc.result(dst); err != nil {
			dst, err = errorRow(dst[:0], err)
			return dst, anError, err
		}
	}
	return dst, aRow, nil
}

func (r *Reduce) close() (err error) {
	for _, x := range r.indexes {
		err = errors.Join(err, x.cur.Close())
	}
	return err
}

// Scan enumerates the groups.
func (r *Reduce) Scan(ctx context.Context, _ []ScanFunc, emit, emitErr Emit) error {
	if emitErr != nil {
		if err := r.errs.scan(ctx, emitErr); err != nil {
			return err
		}
	}
	out := func() error {
		var is outcome
		var err error
		if r.new, is, err = r.render(r.new[:0]); err != nil {
			return err
		}
		switch {
		case is == aRow && emit != nil:
			return emit(r.new, 1)
		case is == anError && emitErr != nil:
			return emitErr(r.new, 1)
		}
		return nil
	}
	any := false
	err := walk(ctx, r.groups, nil, nil, func(_, value []byte) error {
		any = true
		r.restore(value)
		return out()
	})
	if err != nil || any || len(r.cols) > 0 {
		return err
	}
	r.reset()
	return out()
}

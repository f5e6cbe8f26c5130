package engine

import "github.com/helios-sql/helios-sql/connectors"

// A pace keeps the batch of a tick near the size that the store takes without
// holding it in memory twice. What a change becomes differs by the views over its
// table, so the pace is learnt: bytes of batch per change, and per byte of it. (A
// deletion is a few bytes, and takes a whole row out of each view.)
type pace struct {
	target              int // bytes of batch
	mostRows, mostBytes int // of input at any rate
	perRow, perByte     float64
	toldRows, toldBytes int
}

const (
	pacePerRow  = 1000 // to begin with
	pacePerByte = 6
	paceRows    = 500 // a tick takes that much however large its batch becomes
	paceBytes   = 64 << 10
	paceSample  = 200 // ticks of fewer changes say nothing
)

func newPace(target, mostRows, mostBytes int) pace {
	p := pace{target: target, mostRows: mostRows, mostBytes: mostBytes, perRow: pacePerRow, perByte: pacePerByte}
	p.toldRows, p.toldBytes = p.rows(), p.bytes()
	return p
}

// observe learns from a tick: at once that batches are larger, slowly that
// they are smaller.
func (p *pace) observe(rows, bytes, batch int) {
	if rows < paceSample {
		return
	}
	learn := func(to *float64, ratio float64) {
		if ratio < *to {
			ratio = *to + (ratio-*to)/8
		}
		*to = ratio
	}
	learn(&p.perRow, float64(batch)/float64(rows))
	learn(&p.perByte, float64(batch)/float64(max(bytes, 100*rows)))
}

// rows and bytes are how much input a tick takes.
func (p *pace) rows() int {
	return min(max(int(float64(p.target)/p.perRow), paceRows), p.mostRows)
}

func (p *pace) bytes() int {
	return min(max(int(float64(p.target)/p.perByte), paceBytes), p.mostBytes)
}

// changed reports whether the pace is a quarter off what was last told.
func (p *pace) changed() bool {
	off := func(now, told int) bool { return now < told-told/4 || now > told+told/4 }
	if !off(p.rows(), p.toldRows) && !off(p.bytes(), p.toldBytes) {
		return false
	}
	p.toldRows, p.toldBytes = p.rows(), p.bytes()
	return true
}

// A stepPace is the pace as sources are told it.
type stepPace struct{ rows, bytes int }

// keepPace learns from the tick and tells the sources what steps to make of
// large transactions. On the loop.
func (t *Ticker) keepPace() {
	rows, bytes := 0, 0
	for _, c := range t.changes {
		rows, bytes = rows+c.Len(), bytes+c.Bytes()
	}
	t.pace.observe(rows, bytes, t.txn.Bytes())
	if !t.pace.changed() {
		return
	}
	t.told.Store(&stepPace{t.pace.toldRows, t.pace.toldBytes})
	e := t.engine
	e.sources.Lock()
	defer e.sources.Unlock()
	for _, r := range e.sources.byID {
		r.setPace()
	}
}

// setPace tells the source the present pace.
func (r *sourceRunner) setPace() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p, ok := r.source.(connectors.Pacer); ok {
		told := r.engine.ticker.told.Load()
		p.SetPace(told.rows, told.bytes)
	}
}
